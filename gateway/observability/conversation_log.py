"""Conversation log: one record per finished conversation with path, times and outcome; no identity."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.engine.turn_event import TurnEvent
from gateway.observability.funnel import Funnel

log = logging.getLogger("dialtree.conversation")
IDLE_SECONDS = 600.0
"""A conversation without a turn for this long counts as abandoned, though no network reported its end."""
MAX_OPEN = 50_000
"""Open conversations remembered; the longest idle are ended first."""


@dataclass(slots=True)
class OpenConversation:
    """A conversation in progress as this process saw it; turns served by other processes are in their logs."""

    first_turn: TurnEvent
    path: list[str]
    turn_milliseconds: list[int] = field(default_factory=list)
    """Duration of each turn, in milliseconds."""
    updated_at: float = 0.0
    """Monotonic time of the last turn, in seconds."""


@dataclass(slots=True)
class ConversationLog:
    """Follows conversations by their turns and logs each one when it ends."""

    funnel: Funnel
    clock: Callable[[], float] = time.monotonic
    open_conversations: OrderedDict[str, OpenConversation] = field(default_factory=OrderedDict, repr=False)

    def record_turn(self, turn: TurnEvent) -> None:
        """Add an answered turn; log the conversation when the turn ends it."""
        conversation = self.open_conversations.get(turn.conversation_hash) or self._start_conversation(turn)
        conversation.path += [step for step, _ in turn.steps]
        if turn.screen != conversation.path[-1] or turn.steps:
            conversation.path.append(turn.screen)
        conversation.turn_milliseconds.append(round(turn.duration_seconds * 1000))
        conversation.updated_at = self.clock()
        if turn.ends:
            del self.open_conversations[turn.conversation_hash]
            self._write_record(conversation, turn.screen)
            return
        self.open_conversations.move_to_end(turn.conversation_hash)

    def record_end(self, conversation_id: str) -> None:
        """Log a conversation the subscriber left without an ending screen."""
        self.funnel.record_end(conversation_id)
        open_conversation = self.open_conversations.pop(conversation_id, None)
        if open_conversation:
            self._write_record(open_conversation, "abandoned")

    def _start_conversation(self, turn: TurnEvent) -> OpenConversation:
        """Open a conversation with its first turn."""
        self._end_idle()
        conversation = self.open_conversations[turn.conversation_hash] = OpenConversation(
            turn, [turn.origin_screen]
        )
        return conversation

    def _end_idle(self) -> None:
        """End conversations that are idle or exceed `MAX_OPEN`."""
        while self.open_conversations:
            name, conversation = next(iter(self.open_conversations.items()))
            if (
                len(self.open_conversations) <= MAX_OPEN
                and conversation.updated_at + IDLE_SECONDS > self.clock()
            ):
                return
            self.record_end(name)

    def _write_record(self, conversation: OpenConversation, outcome: str) -> None:
        """Log the record of a finished conversation."""
        first_turn = conversation.first_turn
        extra = {
            "operator": first_turn.operator,
            "channel": first_turn.channel,
            "subscriber": first_turn.subscriber_hash,
            "revision": first_turn.revision,
            "language": first_turn.language,
            "path": " ".join(conversation.path),
            "turns": len(conversation.turn_milliseconds),
            "ms": " ".join(map(str, conversation.turn_milliseconds)),
            "outcome": outcome,
        }
        log.info("conversation.ended", extra=extra)
