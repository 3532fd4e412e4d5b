"""Conversation writer: gathers the turns of a live conversation and writes them as one row."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from sqlalchemy import Connection

from flows.domain.conversation_records import RecordedTurn
from flows.domain.records import Secret
from storage.audit.conversation_rows import (
    ConversationRows,
    HeldConversation,
    extend_conversation,
    insert_rows,
)
from storage.audit.write_behind import WriteBehind
from storage.sql.bulk import RowValues

log = logging.getLogger("dialtree.audit")
ROUND_SECONDS = 5.0
"""Longest time an ended conversation waits to be handed over, to be written with others in one transaction."""
MAX_BATCH = 50
"""Ended conversations that are handed over at once, to keep the transaction short: a millisecond on SQLite."""
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
    encoded: Sequence[RowValues] = field(repr=False)
    """Rows of conversations that ended."""
    idle: Sequence[HeldConversation] = field(repr=False)
    """Conversations without an end, encoded by the job: there may be thousands at once."""
    is_written: bool = False

    def __len__(self) -> int:
        return len(self.encoded) + len(self.idle)

    def write(self, connection: Connection) -> None:
        """Write them; a second time too, should the transaction fail."""
        insert_rows(connection, [*self.encoded, *map(self.rows.encode, self.idle)])
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
    ended: list[RowValues] = field(default_factory=list, repr=False)
    """Rows of conversations that ended, each encoded as it does.

    In the job's thread all of a batch would be encoded at once, and the event loop have the interpreter for as
    long only between two of its calls to the system: turns would wait 20 ms several times a second.
    """
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
        """Note that the network ended a conversation: it is written with the next batch."""
        if found := self.live.pop(conversation_hash, None):
            self._end_conversation(found[1])

    def hand_over_all(self) -> None:
        """Hand every conversation to the next flush, live ones too."""
        live = [conversation for _, conversation in self.live.values()]
        self.live.clear()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._hand_over(live)

    def _run_round(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        idle = list(takewhile(lambda each: each[1][0] <= now, self.live.items()))
        for conversation_hash, _ in idle:
            del self.live[conversation_hash]
        self._hand_over([conversation for _, (_, conversation) in idle])
        self.timer = loop.call_later(ROUND_SECONDS, self._run_round) if self.live else None

    def _end_conversation(self, conversation: HeldConversation) -> None:
        self.ended.append(self.rows.encode(conversation))
        if len(self.ended) >= MAX_BATCH:
            self._hand_over([])

    def _hand_over(self, idle: Sequence[HeldConversation]) -> None:
        """Hand what has ended, and these, to the next flush; what there is no room for is dropped."""
        self.batches = [each for each in self.batches if not each.is_written]
        room = max(0, MAX_WAITING - len(self.live) - sum(map(len, self.batches)))
        ended, self.ended = self.ended, []
        batch = ConversationBatch(self.rows, ended[:room], idle[: max(0, room - len(ended))])
        if dropped := len(ended) + len(idle) - len(batch):
            log.error("audit.conversations_dropped", extra={"count": dropped})
        if len(batch):
            self.batches.append(batch)
            self.write_behind.run_later(batch.write)


def build_conversation_writer(write_behind: WriteBehind, secret: Secret) -> ConversationWriter:
    """Return a writer behind this buffer, which takes everything from it before it is closed."""
    writer = ConversationWriter(write_behind, ConversationRows(secret))
    write_behind.feeders.append(writer.hand_over_all)
    return writer
