"""The outbox on SQL: claimed under a lease, settled under a fence, receipts only ever move it forward."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, and_, bindparam, exists, func, select, tuple_, update

from flows.records import Parcel, Receipt, Secret, Settlement
from storage.audit import Auditor
from storage.enqueue import PRIORITY, PURPOSE, packed
from storage.seal import Seal
from storage.settling import Settler, hear
from storage.sql import together
from storage.sql.engine import Database
from storage.sql.schema import opt_outs, outbox, receipts

LEASE = timedelta(seconds=4)
"""How long a claimed row is one worker's unless held on to; then it is up again and the old fence refused."""

HANDED = "handed over"
"""The reason of a claimed row whose worker has begun to send it: from here on its outcome may be unknown."""

POLL_SECONDS = 1.0
"""Other processes enqueue too: the table is looked at this often, bell or no bell."""

State = Literal[
    "pending", "claimed", "again", "unknown", "sent", "delivered", "failed", "dead", "expired", "opted_out"
]
STATES: tuple[State, ...] = get_args(State)

_ROW = outbox.c
_HELD_BACK = and_(
    _ROW.kind.in_(("notice", "campaign")),
    exists().where(opt_outs.c.operator == _ROW.operator, opt_outs.c.number == _ROW.to),
)
_NOW = bindparam("now", type_=_ROW.due_at.type)
DUE = (
    select(outbox, _HELD_BACK.label("unwanted"))
    .where(_ROW.due_at.is_not(None), _ROW.priority == bindparam("urgency"), _ROW.due_at <= _NOW)
    .order_by(_ROW.due_at, _ROW.id)
    .limit(bindparam("most", type_=_ROW.attempt.type))
    .with_for_update(skip_locked=True, of=outbox)
)
"""One priority at a time: each is a range of the index, whatever waits in the others."""

_THESE = _ROW.id.in_(bindparam("ids", expanding=True))
CLAIM = (
    update(outbox)
    .where(_THESE)
    .values(
        state="claimed",
        fence=_ROW.fence + 1,
        attempt=_ROW.attempt + 1,
        due_at=bindparam("until"),
        reason="",
        changed_at=_NOW,
    )
)
OLDEST = select(func.min(_ROW.created_at).label("first")).where(_ROW.due_at.is_not(None), _ROW.due_at <= _NOW)
_OURS = (tuple_(_ROW.id, _ROW.fence).in_(bindparam("held", expanding=True)), _ROW.state == "claimed")
HOLD = update(outbox).where(*_OURS).values(due_at=bindparam("until")).returning(_ROW.id)
HAND_OVER = HOLD.values(reason=HANDED)
PUT_BACK = (
    update(outbox)
    .where(_ROW.id == bindparam("this"), _ROW.fence == bindparam("at_fence"), _ROW.state == "claimed")
    .values(state="again", attempt=_ROW.attempt - 1, due_at=bindparam("back_at"), changed_at=_NOW)
)
PUT_ALL_BACK = together.unnested(
    """
    UPDATE outbox SET state = 'again', attempt = attempt - 1, due_at = given.back_at, changed_at = given.now
    FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    """,
    this="bigint",
    at_fence="integer",
    back_at="timestamptz",
    now="timestamptz",
)
CLOSE = (
    update(outbox)
    .where(_THESE)
    .values(state=bindparam("final"), reason=bindparam("why"), due_at=None, payload=None, changed_at=_NOW)
)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row as people may look at it: never its text."""

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
    """Is its text still there, so that it can be replayed?"""


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
    """The `Outbox` port and what people do to it. `secret` opens what was sealed at enqueueing."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._seal = Seal(secret, PURPOSE)
        self._settler = Settler(database, Auditor(secret))

    async def claim(self, most: int, now: datetime) -> Sequence[Parcel]:
        """Take up to `most` due rows for `LEASE`, codes first; two workers never hold the same one.

        Rows past their expiry, of recipients who opted out, or that do not open are closed here.
        """
        return await self._database.write(lambda connection: self._claim(connection, most, now))

    async def hold(self, parcels: Sequence[Parcel], now: datetime, *, sending: bool) -> Collection[int]:
        """Hold on to claimed rows for another `LEASE`; the ids still ours, to be called before it runs out.

        `sending` also records that they are about to leave: should this worker fall silent, whoever
        claims them next is told by `Parcel.lapsed`.
        """
        statement = HAND_OVER if sending else HOLD
        held = sorted((parcel.id, parcel.fence) for parcel in parcels)
        given = {"held": held, "until": now + LEASE}
        return await self._database.write(lambda connection: set(connection.scalars(statement, given)))

    async def put_back(self, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
        """Give claimed rows back untried, each until its instant: no attempt is counted."""
        rows = [
            {"this": each.id, "at_fence": each.fence, "back_at": at, "now": now}
            for each, at in sorted(later, key=lambda pair: pair[0].id)
        ]
        await self._database.write(
            lambda connection: together.execute(connection, PUT_BACK, PUT_ALL_BACK, rows)
        )

    async def settle(self, parcel: Parcel, settlement: Settlement, now: datetime) -> bool:
        """Record what became of it; False when the fence is stale. Calls under way share a transaction.

        `unknown` with an `again_at` is up for claiming then, unless a receipt comes before.
        """
        return await self._settler.settle(parcel, settlement, now)

    async def receipt(self, receipt: Receipt, now: datetime) -> None:
        """Record a provider's word; states only move forward, unknown ids are parked."""
        await self._database.write(lambda connection: hear(connection, receipt, now))

    async def wait(self, seconds: float) -> None:
        """Return when this process enqueued something, after 1 s or `seconds` at the latest."""
        await self._database.bell.wait(min(seconds, POLL_SECONDS))

    async def list_rows(self, state: State, limit: int) -> Sequence[OutboxRow]:
        """Rows in this state, newest first."""
        given = {"state": state, "most": limit}
        rows = await self._database.read(lambda connection: connection.execute(LIST, given).all())
        return [OutboxRow(**row._mapping) for row in rows]

    async def show(self, row_id: int) -> OutboxRow | None:
        """One row; None when there is none."""
        row = await self._database.read(lambda connection: connection.execute(SHOW, {"id": row_id}).first())
        return None if row is None else OutboxRow(**row._mapping)

    async def oldest(self, now: datetime) -> float:
        """Seconds since the oldest row that is due was written down; 0 when nothing waits."""
        first = await self._database.read(lambda connection: connection.execute(OLDEST, {"now": now}).scalar())
        return max((now - first).total_seconds(), 0.0) if first else 0.0

    async def replay(self, row_id: int, now: datetime) -> bool:
        """Send a dead, failed, unknown or expired row again, now and without expiry.

        False when there is no such row or its text is gone: codes are blanked and never replayed.
        """
        given = {"row": row_id, "again_at": now}
        done = await self._database.write(lambda connection: connection.execute(REPLAY, given).rowcount)
        if done:
            self._database.bell.ring()
        return bool(done)

    async def purge(self, before: datetime) -> int:
        """Delete rows that were done with before this instant, and receipts as old; how many rows."""

        def job(connection: Connection) -> int:
            counts = [connection.execute(statement, {"before": before}).rowcount for statement in PURGE]
            return int(counts[0])

        return await self._database.write(job, seconds=60)

    def _claim(self, connection: Connection, most: int, now: datetime) -> list[Parcel]:
        parcels: list[Parcel] = []
        for urgency in sorted(set(PRIORITY.values())):
            while len(parcels) < most:
                left = most - len(parcels)
                rows = connection.execute(DUE, {"urgency": urgency, "now": now, "most": left}).all()
                parcels += self._sorted_out(connection, rows, now)
                if len(rows) < left:
                    break
        return parcels

    def _sorted_out(self, connection: Connection, rows: Sequence[Any], now: datetime) -> list[Parcel]:
        """Close what must not go out; put the rest under our lease."""
        parcels: list[Parcel] = []
        closed: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            verdict = _verdict(row, now) or self._taken(row, parcels, now)
            if verdict is not None:
                closed.setdefault(verdict, []).append(row.id)
        for (state, reason), ids in closed.items():
            connection.execute(CLOSE, {"ids": ids, "final": state, "why": reason, "now": now})
        if parcels:
            given = {"ids": [parcel.id for parcel in parcels], "until": now + LEASE, "now": now}
            connection.execute(CLAIM, given)
        return parcels

    def _taken(self, row: Any, parcels: list[Parcel], now: datetime) -> tuple[str, str] | None:
        """Add the row's parcel; one that does not open is dead, so that the queue moves on."""
        try:
            item = packed(row, self._seal)
        except ValueError:
            return "dead", "unreadable"
        lapsed = row.state == "claimed" and row.reason == HANDED
        parcels.append(Parcel(row.id, row.fence + 1, row.attempt + 1, item, now, lapsed))
        return None


def _verdict(row: Any, now: datetime) -> tuple[str, str] | None:
    if row.expires_at is not None and row.expires_at <= now:
        return "expired", "expired before it was sent"
    if row.unwanted:
        return "opted_out", "the recipient opted out"
    return None
