"""Input of one screen of a call: from keys, pauses and the end of the prompts to one answer; pure."""

from dataclasses import dataclass, field

from menus.model.reply import Gather
from menus.model.typed_text import TypedText

REPEAT_KEY = "#"
"""The finish key pressed alone: as with every voice provider it asks to hear the screen again."""


@dataclass(frozen=True, slots=True)
class CollectedAnswer:
    """What the caller answered a screen with."""

    text: str | None = field(repr=False)
    """The keys; None for silence, and where no answer was asked for."""


@dataclass(slots=True)
class ScreenInput:
    """Keys and timers of one screen. Times are seconds of any clock that only moves forward."""

    gather: Gather | None
    """What is asked for; None on a last screen, which is said to its end."""
    playback_id: str = ""
    """What is played; empty when the prompts are over."""
    deadline: float = 0.0
    """When something happens without an event: the prompts count as over, or the time-out of the keys."""
    is_listening: bool = False
    """Whether the time-out of the keys runs."""
    keys: str = field(default="", repr=False)

    def end_prompts(self, now: float) -> CollectedAnswer | None:
        """Begin to wait for the first key; a last screen is complete."""
        self.playback_id = ""
        if self.gather is None:
            return CollectedAnswer(None)
        if not self.keys:
            self._listen_until(now + self.gather.first_key_seconds)
        return None

    def press_key(self, key: str, now: float) -> CollectedAnswer | None:
        """Take a key, which interrupts the prompts; return the answer once it is complete."""
        gather = self.gather
        if gather is None or (self.playback_id and not gather.barge_in):
            return None
        self.playback_id = ""
        if gather.finish_key and key == gather.finish_key:
            return CollectedAnswer(TypedText(self.keys or REPEAT_KEY))
        self.keys = TypedText(self.keys + key)
        self._listen_until(now + gather.between_keys_seconds)
        return CollectedAnswer(self.keys) if len(self.keys) >= gather.max_keys else None

    def pass_deadline(self, now: float) -> CollectedAnswer | None:
        """Return the keys so far, or silence; while prompts are played, take them as over."""
        return CollectedAnswer(self.keys or None) if self.is_listening else self.end_prompts(now)

    def _listen_until(self, deadline: float) -> None:
        self.deadline, self.is_listening = deadline, True
