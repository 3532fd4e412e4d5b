"""Outbox in SQL: claims under a lease, settlement under a fencing token, replay of dead letters."""

import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, bindparam, not_, select, update

from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.records import ClaimedMessage, DeliveryOutcome, Receipt, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox import claim
from storage.outbox.due_rows import make_future_rows_due
from storage.outbox.enqueue import KEY_PURPOSE
from storage.outbox.receipts import record_receipt
from storage.outbox.settle import OutcomeBatcher
from storage.sql.engine import Database
from storage.sql.outbox_schema import HAS_LEASE, IS_CLAIMED, OUTBOX_COLUMNS, ROW_STATE, outbox
from storage.sql.tables import receipts
from storage.sql.wakeup import notify_workers

POLL_SECONDS = 1.0
"""Workers poll the table this often, whether they are notified or not."""

CLAIM_TIME = timedelta(seconds=1)
"""How long one claim goes on closing rows while it finds none to send; the next claim continues."""
CLOCK_SKEW_SECONDS = 60.0
"""Interval of looking for rows that another process's clock put into the future."""
CLOSING_BATCH = 2_000
"""Due rows read by one transaction that only closes rows: far below what fits in its time limit."""

OutboxState = Literal[
    "pending", "claimed", "again", "unknown", "sent", "delivered", "failed", "dead", "expired", "opted_out"
]
OUTBOX_STATES: tuple[OutboxState, ...] = get_args(OutboxState)

_ROW = outbox.c


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An outbox row for inspection, without its text."""

    id: int
    key: str
    operator: str
    kind: str
    to: str = field(repr=False)
    route: str
    step: str
    state: OutboxState
    attempt: int
    provider: str
    message_id: str
    reason: str
    due_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    changed_at: datetime
    readable: bool
    """Whether its text is still stored, so that it can be replayed."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows of a state are listed; an empty field leaves all."""

    operator: str = ""
    kind: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None

    def list_conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the table."""
        if self.operator:
            yield _ROW.operator == self.operator
        if self.kind:
            yield _ROW.kind == self.kind
        if self.created_after:
            yield _ROW.created_at >= self.created_after
        if self.created_before:
            yield _ROW.created_at <= self.created_before


ALL_ROWS = RowFilter()
_SHOWN = [OUTBOX_COLUMNS[name] for name in OutboxRow.__slots__ if name != "readable"]
_SELECT_ROWS = select(*_SHOWN, _ROW.payload.is_not(None).label("readable"))
SELECT_NEWEST = _SELECT_ROWS.order_by(_ROW.id.desc()).limit(bindparam("most", type_=_ROW.attempt.type))
_IN_OTHER_STATE = and_(_ROW.state == bindparam("state"), not_(HAS_LEASE))
"""`ROW_STATE` by an index, which holds failed rows by their `state`."""
SELECT_BY_ID = _SELECT_ROWS.where(_ROW.id == bindparam("id"))
SELECT_STATE = select(ROW_STATE).where(_ROW.key == bindparam("of"))
SELECT_BY_MESSAGE_ID = _SELECT_ROWS.join(receipts, receipts.c.row == _ROW.id).where(
    receipts.c.provider == bindparam("provider"), receipts.c.message_id == bindparam("message_id")
)
REPLAY_ROW = (
    update(outbox)
    .where(
        _ROW.id == bindparam("row"),
        ROW_STATE.in_(("dead", "failed", "unknown", "expired")),
        _ROW.payload.is_not(None),
        _ROW.kind != "code",
    )
    .values(
        state="pending",
        attempt=0,
        message_id="",
        expires_at=None,
        due_at=bindparam("again_at"),
        changed_at=bindparam("again_at"),
    )
)
_FINAL_STATES = ("sent", "delivered", "failed", "dead", "expired", "opted_out", "unknown")
PURGE_STATEMENTS = (
    outbox.delete().where(
        _ROW.state.in_(_FINAL_STATES), _ROW.due_at.is_(None), _ROW.changed_at < bindparam("before")
    ),
    receipts.delete().where(receipts.c.at < bindparam("before")),
)


class SqlOutbox:
    """Implements the `Outbox` port, inspection and replay; `secret` decrypts the payloads."""

    def __init__(
        self, database: Database, secret: Secret, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._cipher = AeadCipher(secret, KEY_PURPOSE)
        self._audit_writer = AuditWriter(secret)
        self._outcome_batcher = OutcomeBatcher(database, self._audit_writer)
        self._monotonic = monotonic
        self._clocks_compared_at: float | None = None

    async def claim(
        self, limit: int, now: datetime, scope: ClaimScope = EVERYTHING
    ) -> Sequence[ClaimedMessage]:
        """Claim up to `limit` due rows for `LEASE`, codes first; no row is claimed by two workers.

        The lanes of the scope share the batch equally. Rows that expired, whose recipient opted out, or that
        cannot be decrypted are closed instead, in transactions of one batch each, until something is claimed
        or `CLAIM_SECONDS` are over.
        """
        started_at = self._monotonic()
        await self._correct_clock_skew(started_at, now)

        def clock() -> datetime:
            """Return the time by whole seconds since the call: a lease counts from the end of the claim."""
            return now + timedelta(seconds=int(self._monotonic() - started_at))

        while True:
            batch = await self._database.write(
                lambda connection: claim.claim_rows(connection, self._cipher, limit, clock, scope)
            )
            if batch.messages or not batch.closed_count or clock() >= now + CLAIM_TIME:
                return batch.messages
            await self._database.write(
                lambda connection: claim.close_unsendable_rows(
                    connection, self._cipher, CLOSING_BATCH, clock(), scope
                )
            )

    async def _correct_clock_skew(self, seconds: float, now: datetime) -> None:
        """Look for rows written by a clock that was ahead, every `CLOCK_SKEW_SECONDS`."""
        last = self._clocks_compared_at
        if last is None or seconds - last >= CLOCK_SKEW_SECONDS:
            await self._database.write(lambda connection: make_future_rows_due(connection, now))
            self._clocks_compared_at = seconds

    async def renew_leases(
        self, messages: Sequence[ClaimedMessage], now: datetime, *, sending: bool
    ) -> Collection[int]:
        """Renew leases for another `LEASE`, before they run out; return the ids whose lease is still held.

        `sending` records that the rows are about to be sent and leaves at least half a lease: if this
        worker dies, the next claim marks the messages as `lease_expired`.
        """
        return await self._database.write(
            lambda connection: claim.renew_leases(connection, messages, now, sending=sending)
        )

    async def release_unsent(self, later: Sequence[tuple[ClaimedMessage, datetime]], now: datetime) -> None:
        """Release claimed rows unsent, each until its instant; no attempt is counted."""
        await self._database.write(lambda connection: claim.release_rows(connection, later, now))

    def record_outcome(
        self, message: ClaimedMessage, outcome: DeliveryOutcome, now: datetime
    ) -> Awaitable[bool]:
        """Record a delivery outcome; False when the fence is stale. Concurrent calls share a transaction.

        `unknown` with a time to try again can be claimed then, unless a receipt arrives before.
        """
        return self._outcome_batcher.record_outcome(message, outcome, now)

    async def record_receipt(self, receipt: Receipt, now: datetime) -> None:
        """Record a delivery receipt; states only move forward, receipts of unknown ids are stored for later."""
        await self._database.write(
            lambda connection: record_receipt(connection, self._audit_writer, receipt, now)
        )

    async def wait_for_work(self, seconds: float) -> None:
        """Return when a row was enqueued (in any notified process), after 1 s or `seconds` at most."""
        await self._database.wakeup.wait(min(seconds, POLL_SECONDS))

    async def list_rows(
        self, state: OutboxState, limit: int, row_filter: RowFilter = ALL_ROWS
    ) -> Sequence[OutboxRow]:
        """Return up to `limit` rows in this state that pass the filter, newest first."""
        parameters = {"state": state, "most": limit}
        in_state = IS_CLAIMED if state == "claimed" else _IN_OTHER_STATE
        selected = SELECT_NEWEST.where(in_state, *row_filter.list_conditions())
        rows = await self._database.read(lambda connection: connection.execute(selected, parameters).all())
        return [OutboxRow(**row._mapping) for row in rows]

    async def find_row(self, row_id: int) -> OutboxRow | None:
        """Return a row by id; None when there is none."""
        row = await self._database.read(
            lambda connection: connection.execute(SELECT_BY_ID, {"id": row_id}).first()
        )
        return None if row is None else OutboxRow(**row._mapping)

    async def find_state(self, key: str) -> str:
        """Return the state of the message with an idempotency key; empty when there is none."""
        state = await self._database.read(
            lambda connection: connection.execute(SELECT_STATE, {"of": key}).scalar()
        )
        return state or ""

    async def find_sent_row(self, provider: str, message_id: str) -> OutboxRow | None:
        """Return the row a provider's message id belongs to; None when no such send was recorded."""
        parameters = {"provider": provider, "message_id": message_id}
        row = await self._database.read(
            lambda connection: connection.execute(SELECT_BY_MESSAGE_ID, parameters).first()
        )
        return None if row is None else OutboxRow(**row._mapping)

    async def replay_row(self, row_id: int, now: datetime) -> bool:
        """Send a dead, failed, unknown or expired row again, now and without expiry.

        False when there is no such row or its text was deleted: texts of codes are, so codes are never
        replayed.
        """

        def job(connection: Connection) -> int:
            notify_workers(connection)
            return connection.execute(REPLAY_ROW, {"row": row_id, "again_at": now}).rowcount

        replayed_count = await self._database.write(job)
        if replayed_count:
            self._database.wakeup.wake_waiters()
        return bool(replayed_count)

    async def purge_finished(self, before: datetime) -> int:
        """Delete rows finished before this instant, and receipts as old; return the number of rows."""

        def job(connection: Connection) -> int:
            counts = [
                connection.execute(statement, {"before": before}).rowcount for statement in PURGE_STATEMENTS
            ]
            return int(counts[0])

        return await self._database.write(job, seconds=60)
