"""Conversation log: one record per finished conversation with path, times and outcome; no identity."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.engine.turn_event import Turn
from gateway.observability.funnel import Funnel

log = logging.getLogger("dialtree.conversation")
IDLE_SECONDS = 600.0
"""A conversation without a turn for this long counts as abandoned, though no network reported its end."""
MOST_OPEN = 50_000
"""Open conversations remembered; the longest idle are ended first."""


@dataclass(slots=True)
class Story:
    """A conversation in progress as this process saw it; turns served by other processes are in their logs."""

    first: Turn
    path: list[str]
    took: list[int] = field(default_factory=list)
    """Duration of each turn, in milliseconds."""
    at: float = 0.0
    """Monotonic time of the last turn, in seconds."""


@dataclass(slots=True)
class Journal:
    """Follows conversations by their turns and logs each one when it ends."""

    funnel: Funnel
    clock: Callable[[], float] = time.monotonic
    stories: OrderedDict[str, Story] = field(default_factory=OrderedDict, repr=False)

    def saw(self, turn: Turn) -> None:
        """Add an answered turn; log the conversation when the turn ends it."""
        conversation = self.stories.get(turn.conversation) or self._begun(turn)
        conversation.path += [step for step, _ in turn.steps]
        if turn.screen != conversation.path[-1] or turn.steps:
            conversation.path.append(turn.screen)
        conversation.took.append(round(turn.seconds * 1000))
        conversation.at = self.clock()
        if turn.ends:
            del self.stories[turn.conversation]
            self._write(conversation, turn.screen)
            return
        self.stories.move_to_end(turn.conversation)

    def gone(self, conversation: str) -> None:
        """Log a conversation the subscriber left without an ending screen."""
        self.funnel.gone(conversation)
        open_conversation = self.stories.pop(conversation, None)
        if open_conversation:
            self._write(open_conversation, "abandoned")

    def _begun(self, turn: Turn) -> Story:
        """Open a conversation with its first turn."""
        self._sweep()
        conversation = self.stories[turn.conversation] = Story(turn, [turn.origin])
        return conversation

    def _sweep(self) -> None:
        """End conversations that are idle or exceed `MAX_OPEN`."""
        while self.stories:
            name, conversation = next(iter(self.stories.items()))
            if len(self.stories) <= MOST_OPEN and conversation.at + IDLE_SECONDS > self.clock():
                return
            self.gone(name)

    def _write(self, story: Story, outcome: str) -> None:
        """Log the record of a finished conversation."""
        first_turn = story.first
        extra = {
            "operator": first_turn.operator,
            "channel": first_turn.channel,
            "subscriber": first_turn.subscriber,
            "revision": first_turn.revision,
            "language": first_turn.language,
            "path": " ".join(story.path),
            "turns": len(story.took),
            "ms": " ".join(map(str, story.took)),
            "outcome": outcome,
        }
        log.info("conversation.ended", extra=extra)
