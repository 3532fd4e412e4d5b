"""Conversation log: one record per finished conversation with path, times and outcome; no identity."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter

from flows.engine.turn_event import TurnEvent
from gateway.observability.funnel import Funnel

log = logging.getLogger("dialtree.conversation")
IDLE_SECONDS = 600.0
"""A conversation without a turn for this long counts as abandoned, though no network reported its end."""
MAX_OPEN = 50_000
"""Open conversations remembered; the longest idle are ended first."""


ConversationLabels = tuple[str, str, str, str, str]
"""What all turns of a conversation share: operator, channel, subscriber hash, revision, language."""
ConversationRow = tuple[ConversationLabels, float, str, str, int]
"""The fields of an open conversation, in their order; the garbage collector does not visit plain values."""


@dataclass(slots=True)
class OpenConversation:
    """A conversation in progress as this process saw it; turns served by other processes are in their logs."""

    labels: ConversationLabels
    updated_at: float
    """Monotonic time of the last turn, in seconds."""
    path: str
    """Screens and steps in their order, separated by blanks."""
    turn_milliseconds: str = ""
    """Duration of each turn, in milliseconds, separated by commas: with blanks they are masked as a number."""
    turn_count: int = 0

    def add_turn(self, turn: TurnEvent) -> None:
        """Add an answered turn to the path and the durations."""
        if turn.steps:
            self.path = " ".join([self.path, *(step for step, _ in turn.steps), turn.screen])
        elif turn.screen != self.path.rpartition(" ")[2]:
            self.path = f"{self.path} {turn.screen}"
        took = round(turn.duration_seconds * 1000)
        self.turn_milliseconds = f"{self.turn_milliseconds},{took}" if self.turn_milliseconds else str(took)
        self.turn_count += 1

    def to_row(self) -> ConversationRow:
        """Return the values to store."""
        return _read_fields(self)


_read_fields: Callable[[OpenConversation], ConversationRow] = attrgetter(
    *(each.name for each in fields(OpenConversation))
)


@dataclass(slots=True)
class ConversationLog:
    """Follows conversations by their turns and logs each one when it ends."""

    funnel: Funnel
    clock: Callable[[], float] = time.monotonic
    open_conversations: OrderedDict[str, ConversationRow] = field(default_factory=OrderedDict, repr=False)
    """By conversation, the longest idle first."""

    def record_turn(self, turn: TurnEvent) -> None:
        """Add an answered turn; log the conversation when the turn ends it."""
        row = self.open_conversations.pop(turn.conversation_hash, None)
        conversation = OpenConversation(*row) if row else self._start_conversation(turn)
        conversation.add_turn(turn)
        conversation.updated_at = self.clock()
        if turn.ends:
            _write_record(conversation, turn.screen)
            return
        self.open_conversations[turn.conversation_hash] = conversation.to_row()

    def record_end(self, conversation_id: str) -> None:
        """Log a conversation the subscriber left without an ending screen."""
        self.funnel.record_end(conversation_id)
        row = self.open_conversations.pop(conversation_id, None)
        if row:
            _write_record(OpenConversation(*row), "abandoned")

    def _start_conversation(self, turn: TurnEvent) -> OpenConversation:
        """Return a conversation that begins with this turn."""
        self._end_idle()
        labels = turn.operator, turn.channel, turn.subscriber_hash, turn.revision, turn.language
        return OpenConversation(labels, self.clock(), turn.origin_screen)

    def _end_idle(self) -> None:
        """End conversations that are idle, and make room for one more where `MAX_OPEN` are open."""
        while self.open_conversations:
            name, row = next(iter(self.open_conversations.items()))
            is_idle = OpenConversation(*row).updated_at + IDLE_SECONDS <= self.clock()
            if len(self.open_conversations) < MAX_OPEN and not is_idle:
                return
            self.record_end(name)


def _write_record(conversation: OpenConversation, outcome: str) -> None:
    """Log the record of a finished conversation."""
    operator, channel, subscriber_hash, revision, language = conversation.labels
    extra = {
        "operator": operator,
        "channel": channel,
        "subscriber": subscriber_hash,
        "revision": revision,
        "language": language,
        "path": conversation.path,
        "turns": conversation.turn_count,
        "ms": conversation.turn_milliseconds,
        "outcome": outcome,
    }
    log.info("conversation.ended", extra=extra)
