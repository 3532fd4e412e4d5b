"""Conversation history: what a turn showed and what was answered, as kept for the help desk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from menus.model.session import Session
from menus.model.value import value_dataclass

MASKED_ANSWER = "***"
"""What is kept of an answer that was, or may have been, a secret."""

LONGEST_SILENCE = timedelta(minutes=10)
"""Longest time between two turns of a conversation: the lifetime of a session by SMS."""


@value_dataclass
class RecordedTurn:
    """One answered request, without its secrets: its screen can be rendered again from the session."""

    operator: str
    caller: str = field(repr=False)
    channel: str
    conversation_hash: str
    """Keyed hash shared by all turns of a conversation."""
    happened_at: datetime
    answers: tuple[str, ...] = field(repr=False)
    """The answers that led to the screen, each whole or masked; an empty one is silence."""
    note: str
    """Name of the note shown before the screen; empty for none."""
    replacement: str | None
    """Name of the text sent in place of the screen; empty when nothing was sent, None for the screen."""
    session: bytes = field(repr=False)
    """The session as `Session.dump` encodes it, without the spoken code and the watermark."""
    ends: bool
    keep_days: int
    """Days the turn is kept."""


TurnRecorder = Callable[[RecordedTurn], None]
"""Called after every turn that was stored; must neither block nor raise."""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn as it is read back."""

    happened_at: datetime
    answers: tuple[str, ...] = field(repr=False)
    note: str
    replacement: str | None
    session: Session = field(repr=False)

    @property
    def screen(self) -> str:
        """Name of the screen, or of the text that was sent in its place."""
        return self.replacement or self.session.state


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation, or the part of it that one process served."""

    channel: str
    conversation_hash: str
    turns: tuple[StoredTurn, ...]
    """Empty when they cannot be read: altered, or encrypted with another secret."""


def join_parts(stored: Sequence[StoredConversation]) -> list[tuple[str, list[StoredTurn]]]:
    """Return channel and turns of each conversation, the newest first; no turns where they cannot be read.

    Parts that several processes wrote, or one wrote while the person was silent, are joined; texts of another
    hour, which have the same hash, are not.
    """
    joined = [(each.channel, list(each.turns)) for each in stored if not each.turns]
    newest: dict[str, list[StoredTurn]] = {}
    for each in sorted((each for each in stored if each.turns), key=lambda part: part.turns[0].happened_at):
        turns = newest.get(each.conversation_hash)
        if turns is None or each.turns[0].happened_at - turns[-1].happened_at > LONGEST_SILENCE:
            turns = newest[each.conversation_hash] = []
            joined.append((each.channel, turns))
        turns.extend(each.turns)
        turns.sort(key=lambda turn: turn.happened_at)
    return joined[::-1]
