"""Conversation writer: gathers the turns of a live conversation and writes them as one row."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from sqlalchemy import Connection

from flows.domain.conversation_records import RecordedTurn
from flows.domain.records import Secret
from storage.audit.conversation_rows import ConversationRows, HeldConversation, extend_conversation
from storage.audit.write_behind import WriteBehind

log = logging.getLogger("dialtree.audit")
ROUND_SECONDS = 5.0
"""Longest time an ended conversation waits to be handed over, to be written with others in one transaction."""
MAX_BATCH = 200
"""Ended conversations that are handed over at once, to keep the transaction short: some 10 ms on SQLite."""
IDLE_SECONDS = 10.0
"""Time after its last turn at which a conversation is written; what follows becomes another row."""
MAX_TURNS = 100
"""Turns of one row."""
MAX_WAITING = 20_000
"""Conversations kept in memory, live ones and those the database has not taken; more are dropped and logged."""


@dataclass(slots=True)
class ConversationBatch:
    """Conversations that one job writes."""

    rows: ConversationRows = field(repr=False)
    history: Sequence[HeldConversation] = field(repr=False)
    is_written: bool = False

    def write(self, connection: Connection) -> None:
        """Write them; a second time too, should the transaction fail."""
        self.rows.insert(connection, self.history)
        self.is_written = True


@dataclass(slots=True)
class ConversationWriter:
    """Records turns in memory, at the cost of an append, and writes them behind.

    A process that crashes loses the conversations of its last quarter of a minute at most.
    """

    write_behind: WriteBehind = field(repr=False)
    rows: ConversationRows = field(repr=False)
    live: dict[str, tuple[float, HeldConversation]] = field(default_factory=dict, repr=False)
    """By hash: event loop time (s) from which the conversation is idle, and the conversation; oldest first."""
    ended: list[HeldConversation] = field(default_factory=list, repr=False)
    batches: list[ConversationBatch] = field(default_factory=list, repr=False)
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def record_turn(self, turn: RecordedTurn) -> None:
        """Keep a turn; raises nothing."""
        loop = asyncio.get_running_loop()
        _, earlier = self.live.pop(turn.conversation_hash, (0.0, None))
        conversation = extend_conversation(earlier, turn)
        _, turns = conversation
        if turn.ends or len(turns) >= MAX_TURNS:
            self._end_conversation(conversation)
        else:
            self.live[turn.conversation_hash] = loop.time() + IDLE_SECONDS, conversation
        if self.timer is None:
            self.timer = loop.call_later(ROUND_SECONDS, self._run_round)

    def record_end(self, conversation_hash: str) -> None:
        """Note that the network ended a conversation: it is written in the next round."""
        if found := self.live.pop(conversation_hash, None):
            self._end_conversation(found[1])

    def hand_over_all(self) -> None:
        """Hand every conversation to the next flush, live ones too."""
        self.ended += (conversation for _, conversation in self.live.values())
        self.live.clear()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._hand_over_ended()

    def _run_round(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        idle = takewhile(lambda each: each[1][0] <= now, self.live.items())
        for conversation_hash, _ in list(idle):
            self.record_end(conversation_hash)
        self._hand_over_ended()
        self.timer = loop.call_later(ROUND_SECONDS, self._run_round) if self.live else None

    def _end_conversation(self, conversation: HeldConversation) -> None:
        self.ended.append(conversation)
        if len(self.ended) >= MAX_BATCH:
            self._hand_over_ended()

    def _hand_over_ended(self) -> None:
        self.batches = [each for each in self.batches if not each.is_written]
        room = MAX_WAITING - len(self.live) - sum(len(each.history) for each in self.batches)
        ended, self.ended = self.ended, []
        taken = ended[: max(0, room)]
        if len(taken) < len(ended):
            log.error("audit.conversations_dropped", extra={"count": len(ended) - len(taken)})
        if taken:
            batch = ConversationBatch(self.rows, taken)
            self.batches.append(batch)
            self.write_behind.run_later(batch.write)


def build_conversation_writer(write_behind: WriteBehind, secret: Secret) -> ConversationWriter:
    """Return a writer behind this buffer, which takes everything from it before it is closed."""
    writer = ConversationWriter(write_behind, ConversationRows(secret))
    write_behind.feeders.append(writer.hand_over_all)
    return writer
