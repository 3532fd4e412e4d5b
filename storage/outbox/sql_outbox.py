"""Outbox in SQL: claims under a lease, settlement under a fencing token, replay of dead letters."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Select, and_, bindparam, not_, or_, select, update

from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.records import ClaimedMessage, DeliveryOutcome, Receipt, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox import claim, leases
from storage.outbox.due_rows import make_future_rows_due
from storage.outbox.enqueue import KEY_PURPOSE
from storage.outbox.previous_release import MOVED_ROWS, move_old_rows
from storage.outbox.receipts import record_receipt
from storage.outbox.settle import OutcomeBatcher
from storage.outbox.waiting import CAN_BE_SENT, FAILED_STATES, is_waiting, queue_rows
from storage.sql.bulk import in_array
from storage.sql.engine import Database
from storage.sql.tables import outbox, outbox_due, receipts
from storage.sql.wakeup import notify_workers

POLL_SECONDS = 1.0
"""Workers poll the table this often, whether they are notified or not."""

CLAIM_TIME = timedelta(seconds=1)
"""How long one claim goes on closing rows while it finds none to send; the next claim continues."""
OLD_ROWS_SECONDS = 1.0
"""Interval of looking for rows that a process of the previous release enqueued."""
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


_COLUMN_NAMES = [name for name in OutboxRow.__slots__ if name not in ("readable", "due_at")]
_SELECT_ROWS = select(
    *(_ROW[name] for name in _COLUMN_NAMES), outbox_due.c.due_at, _ROW.payload.is_not(None).label("readable")
).select_from(outbox.outerjoin(outbox_due, and_(outbox_due.c.row == _ROW.id, CAN_BE_SENT)))
_NEWEST = _SELECT_ROWS.order_by(_ROW.id.desc()).limit(bindparam("most", type_=_ROW.attempt.type))
_IS_HELD = in_array(_ROW.id, "held")
_STATE = bindparam("state", type_=_ROW.state.type)
SELECT_BY_STATE = _NEWEST.where(_ROW.state == _STATE, not_(_IS_HELD))
SELECT_FAILED = _NEWEST.where(_ROW.failed_state == _STATE, not_(_IS_HELD))
SELECT_HELD = _NEWEST.where(or_(_IS_HELD, _ROW.state == _STATE))
SELECT_BY_ID = _SELECT_ROWS.where(_ROW.id == bindparam("id"))
SELECT_BY_KEY = _SELECT_ROWS.where(_ROW.key == bindparam("of"))
SELECT_BY_MESSAGE_ID = _SELECT_ROWS.join(receipts, receipts.c.row == _ROW.id).where(
    receipts.c.provider == bindparam("provider"), receipts.c.message_id == bindparam("message_id")
)
LOCK_ENTRY = select(outbox_due.c.row).where(outbox_due.c.row == bindparam("this")).with_for_update()
REPLAY_ROW = (
    update(outbox)
    .where(
        _ROW.id == bindparam("row"),
        _ROW.state.in_(("dead", "failed", "unknown", "expired")),
        _ROW.payload.is_not(None),
        _ROW.kind != "code",
    )
    .values(
        state="pending",
        failed_state=None,
        attempt=0,
        message_id="",
        expires_at=None,
        changed_at=bindparam("again_at"),
    )
)
_FINAL_STATES = ("sent", "delivered", "failed", "dead", "expired", "opted_out", "unknown")
PURGE_STATEMENTS = (
    outbox.delete().where(
        _ROW.state.in_(_FINAL_STATES), not_(is_waiting()), _ROW.changed_at < bindparam("before")
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
        self._old_rows_sought_at: float | None = None

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
        await self._move_old_rows(started_at, now)

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

    async def _move_old_rows(self, seconds: float, now: datetime) -> None:
        """Move rows that the previous release enqueued, every `OLD_ROWS_SECONDS` or until none is left."""
        last = self._old_rows_sought_at
        if last is None or seconds - last >= OLD_ROWS_SECONDS:
            moved = await self._database.write(lambda connection: move_old_rows(connection, now))
            self._old_rows_sought_at = None if moved == MOVED_ROWS else seconds

    async def renew_leases(
        self, messages: Sequence[ClaimedMessage], now: datetime, *, sending: bool
    ) -> Collection[int]:
        """Renew leases for another `LEASE`, before they run out; return the ids whose lease is still held.

        `sending` records that the rows are about to be sent and leaves at least half a lease: if this
        worker dies, the next claim marks the messages as `lease_expired`.
        """
        return await self._database.write(
            lambda connection: leases.renew_leases(connection, messages, now, sending=sending)
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

    async def list_rows(self, state: OutboxState, limit: int) -> Sequence[OutboxRow]:
        """Return up to `limit` rows in this state, newest first; `claimed` are those that workers hold."""
        others = SELECT_FAILED if state in FAILED_STATES else SELECT_BY_STATE
        statement = SELECT_HELD if state == "claimed" else others

        def job(connection: Connection) -> list[OutboxRow]:
            held = leases.read_held_rows(connection)
            parameters = {"state": state, "most": limit, "held": list(held)}
            return [_build_row(row, held) for row in connection.execute(statement, parameters)]

        return await self._database.read(job)

    async def find_row(self, row_id: int) -> OutboxRow | None:
        """Return a row by id; None when there is none."""
        return await self._find(SELECT_BY_ID, {"id": row_id})

    async def find_state(self, key: str) -> str:
        """Return the state of the message with an idempotency key; empty when there is none."""
        row = await self._find(SELECT_BY_KEY, {"of": key})
        return "" if row is None else row.state

    async def find_sent_row(self, provider: str, message_id: str) -> OutboxRow | None:
        """Return the row a provider's message id belongs to; None when no such send was recorded."""
        return await self._find(SELECT_BY_MESSAGE_ID, {"provider": provider, "message_id": message_id})

    async def _find(self, statement: Select[Any], parameters: dict[str, Any]) -> OutboxRow | None:
        def job(connection: Connection) -> OutboxRow | None:
            row = connection.execute(statement, parameters).first()
            return None if row is None else _build_row(row, leases.read_held_rows(connection))

        return await self._database.read(job)

    async def replay_row(self, row_id: int, now: datetime) -> bool:
        """Send a dead, failed, unknown or expired row again, now and without expiry.

        False when there is no such row or its text was deleted: texts of codes are, so codes are never
        replayed.
        """

        was_replayed = await self._database.write(lambda connection: _replay_row(connection, row_id, now))
        if was_replayed:
            self._database.wakeup.wake_waiters()
        return was_replayed

    async def purge_finished(self, before: datetime) -> int:
        """Delete rows finished before this instant, and receipts as old; return the number of rows."""

        def job(connection: Connection) -> int:
            counts = [
                connection.execute(statement, {"before": before}).rowcount for statement in PURGE_STATEMENTS
            ]
            return int(counts[0])

        return await self._database.write(job, seconds=60)


def _replay_row(connection: Connection, row_id: int, now: datetime) -> bool:
    """Queue a failed row again; locking its entry first lets a claim at this moment end before."""
    connection.execute(LOCK_ENTRY, {"this": row_id})
    if row_id in leases.read_held_rows(connection):
        return False
    if not connection.execute(REPLAY_ROW, {"row": row_id, "again_at": now}).rowcount:
        return False
    queue_rows(connection, [(row_id, now)])
    notify_workers(connection)
    return True


def _build_row(row: Any, held: Mapping[int, datetime]) -> OutboxRow:
    """Return a row as it is shown: one that a worker holds is `claimed`, and due when its lease ends."""
    values = dict(row._mapping)
    if row.id in held:
        values |= {"state": "claimed", "due_at": held[row.id]}
    return OutboxRow(**values)
