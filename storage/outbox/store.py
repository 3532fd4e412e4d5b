"""Outbox in SQL: claims under a lease, settlement under a fencing token, receipts, inspection, replay."""

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, bindparam, func, select, update

from flows.domain.records import Parcel, Receipt, Secret, Settlement
from storage.audit.trail import Auditor
from storage.crypto import Seal
from storage.outbox import claim
from storage.outbox.enqueue import PURPOSE
from storage.outbox.receipts import hear
from storage.outbox.settle import Settler
from storage.sql.engine import Database
from storage.sql.schema import outbox, receipts
from storage.sql.wakeup import toll

POLL_SECONDS = 1.0
"""Workers poll the table this often, whether they are notified or not."""

State = Literal[
    "pending", "claimed", "again", "unknown", "sent", "delivered", "failed", "dead", "expired", "opted_out"
]
STATES: tuple[State, ...] = get_args(State)

_ROW = outbox.c
_NOW = bindparam("now", type_=_ROW.due_at.type)
OLDEST = select(func.min(_ROW.created_at).label("first")).where(_ROW.due_at.is_not(None), _ROW.due_at <= _NOW)


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
    state: State
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


_PLAIN = [name for name in OutboxRow.__slots__ if name != "readable"]
_SHOWN = select(*(outbox.c[name] for name in _PLAIN), _ROW.payload.is_not(None).label("readable"))
LIST = (
    _SHOWN.where(_ROW.state == bindparam("state"))
    .order_by(_ROW.id.desc())
    .limit(bindparam("most", type_=_ROW.attempt.type))
)
SHOW = _SHOWN.where(_ROW.id == bindparam("id"))
REPLAY = (
    update(outbox)
    .where(
        _ROW.id == bindparam("row"),
        _ROW.state.in_(("dead", "failed", "unknown", "expired")),
        _ROW.payload.is_not(None),
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
_DONE = ("sent", "delivered", "failed", "dead", "expired", "opted_out", "unknown")
PURGE = (
    outbox.delete().where(_ROW.state.in_(_DONE), _ROW.due_at.is_(None), _ROW.changed_at < bindparam("before")),
    receipts.delete().where(receipts.c.at < bindparam("before")),
)


class SqlOutbox:
    """Implements the `Outbox` port, inspection and replay; `secret` decrypts the payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._seal = Seal(secret, PURPOSE)
        self._settler = Settler(database, Auditor(secret))

    async def claim(self, most: int, now: datetime, full: Collection[tuple[str, str]] = ()) -> Sequence[Parcel]:
        """Claim up to `most` due rows for `LEASE`, codes first; no row is claimed by two workers.

        Notices and campaigns of operators and routes in `full` (saturated) are not claimed; the others
        share the batch equally. Rows that expired, whose recipient opted out, or that cannot be
        decrypted are closed instead.
        """
        return await self._database.write(
            lambda connection: claim.claim(connection, self._seal, most, now, full)
        )

    async def hold(self, parcels: Sequence[Parcel], now: datetime, *, sending: bool) -> Collection[int]:
        """Renew leases for another `LEASE`, before they run out; return the ids whose lease is still held.

        `sending` records that the rows are about to be sent and leaves at least half a lease: if this
        worker dies, the next claim marks the messages as `lease_expired`.
        """
        return await self._database.write(
            lambda connection: claim.hold(connection, parcels, now, sending=sending)
        )

    async def put_back(self, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
        """Release claimed rows unsent, each until its instant; no attempt is counted."""
        await self._database.write(lambda connection: claim.put_back(connection, later, now))

    def settle(self, parcel: Parcel, settlement: Settlement, now: datetime) -> Awaitable[bool]:
        """Record a delivery outcome; False when the fence is stale. Concurrent calls share a transaction.

        `unknown` with a time to try again can be claimed then, unless a receipt arrives before.
        """
        return self._settler.settle(parcel, settlement, now)

    async def receipt(self, receipt: Receipt, now: datetime) -> None:
        """Record a delivery receipt; states only move forward, receipts of unknown ids are stored for later."""
        await self._database.write(lambda connection: hear(connection, receipt, now))

    async def wait(self, seconds: float) -> None:
        """Return when a row was enqueued (in any notified process), after 1 s or `seconds` at most."""
        await self._database.bell.wait(min(seconds, POLL_SECONDS))

    async def list_rows(self, state: State, limit: int) -> Sequence[OutboxRow]:
        """Return up to `limit` rows in this state, newest first."""
        parameters = {"state": state, "most": limit}
        rows = await self._database.read(lambda connection: connection.execute(LIST, parameters).all())
        return [OutboxRow(**row._mapping) for row in rows]

    async def show(self, row_id: int) -> OutboxRow | None:
        """Return a row by id; None when there is none."""
        row = await self._database.read(lambda connection: connection.execute(SHOW, {"id": row_id}).first())
        return None if row is None else OutboxRow(**row._mapping)

    async def oldest(self, now: datetime) -> float:
        """Return the age in seconds of the oldest due row, since it was enqueued; 0 when none is due."""
        created_at = await self._database.read(
            lambda connection: connection.execute(OLDEST, {"now": now}).scalar()
        )
        return max((now - created_at).total_seconds(), 0.0) if created_at else 0.0

    async def replay(self, row_id: int, now: datetime) -> bool:
        """Send a dead, failed, unknown or expired row again, now and without expiry.

        False when there is no such row or its text was deleted: texts of codes are, so codes are never
        replayed.
        """

        def job(connection: Connection) -> int:
            toll(connection)
            return connection.execute(REPLAY, {"row": row_id, "again_at": now}).rowcount

        replayed_count = await self._database.write(job)
        if replayed_count:
            self._database.bell.ring()
        return bool(replayed_count)

    async def purge(self, before: datetime) -> int:
        """Delete rows finished before this instant, and receipts as old; return the number of rows."""

        def job(connection: Connection) -> int:
            counts = [connection.execute(statement, {"before": before}).rowcount for statement in PURGE]
            return int(counts[0])

        return await self._database.write(job, seconds=60)
