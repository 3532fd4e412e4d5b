"""Claiming: rows of the outbox taken under a lease, held on to, handed over, given back."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, case, exists, select, union_all, update

from flows.records import Parcel
from storage.enqueue import PRIORITY, packed
from storage.seal import Seal
from storage.sql import together
from storage.sql.schema import opt_outs, outbox
from storage.sql.together import among

LEASE = timedelta(seconds=4)
"""How long a claimed row is one worker's unless held on to; then it is up again and the old fence refused."""

HANDED = "handed over"
"""The reason of a claimed row whose worker has begun to send it: from here on its outcome may be unknown."""

_ROW = outbox.c
_HELD_BACK = and_(
    _ROW.kind.in_(("notice", "campaign")),
    exists().where(opt_outs.c.operator == _ROW.operator, opt_outs.c.number == _ROW.to),
)
_NOW = bindparam("now", type_=_ROW.due_at.type)
_MOST = bindparam("most", type_=_ROW.attempt.type)


class _Due(NamedTuple):
    """A row that is due, as `DUE` reads it; the driver's own rows take ten times as long to be asked."""

    id: int
    fence: int
    attempt: int
    state: str
    reason: str
    key: str
    operator: str
    form: str
    kind: str
    to: str
    route: str
    language: str
    step: str
    payload: bytes | None
    expires_at: datetime | None
    unwanted: bool


_TAKEN = tuple(outbox.c[name] for name in _Due._fields[:-1])


def _due(priority: int) -> Select[Any]:
    """The rows of one priority that are due: a range of the index, whatever waits in the others."""
    rows = (
        select(*_TAKEN, _HELD_BACK.label("unwanted"))
        .where(_ROW.due_at.is_not(None), _ROW.priority == priority, _ROW.due_at <= _NOW)
        .order_by(_ROW.due_at, _ROW.id)
        .limit(_MOST)
        .with_for_update(skip_locked=True, of=outbox)
    )
    return select(rows.subquery(f"priority_{priority}"))


DUE = union_all(*(_due(priority) for priority in sorted(set(PRIORITY.values())))).limit(_MOST)
"""One priority after the other; of each no more rows are read and locked than there is room left for."""

_THESE = among(_ROW.id, "ids")
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
_OURS = (_ROW.id == bindparam("this"), _ROW.fence == bindparam("at_fence"), _ROW.state == "claimed")
_CLAIM = {"this": "bigint", "at_fence": "integer"}
HOLD = update(outbox).where(*_OURS).values(due_at=bindparam("until")).returning(_ROW.id)
HOLD_ALL = together.unnested(
    """
    UPDATE outbox SET due_at = CAST(:until AS timestamptz) FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    RETURNING outbox.id
    """,
    **_CLAIM,
)
_RENEWED = case((_ROW.due_at < bindparam("renewed_before"), bindparam("until")), else_=_ROW.due_at)
HAND_OVER = HOLD.values(reason=bindparam("said"), due_at=_RENEWED)
HAND_ALL_OVER = together.unnested(
    """
    UPDATE outbox SET reason = :said,
        due_at = CASE WHEN due_at < :renewed_before THEN CAST(:until AS timestamptz) ELSE due_at END
    FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    RETURNING outbox.id
    """,
    **_CLAIM,
)
"""A lease not half through is left as it is: a row none of whose indexed columns changes costs half."""
PUT_BACK = (
    update(outbox)
    .where(*_OURS)
    .values(state="again", attempt=_ROW.attempt - 1, due_at=bindparam("back_at"), changed_at=_NOW)
)
PUT_ALL_BACK = together.unnested(
    """
    UPDATE outbox SET state = 'again', attempt = attempt - 1, due_at = given.back_at, changed_at = :now
    FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    """,
    **_CLAIM,
    back_at="timestamptz",
)
CLOSE = (
    update(outbox)
    .where(_THESE)
    .values(state=bindparam("final"), reason=bindparam("why"), due_at=None, payload=None, changed_at=_NOW)
)


def claim(connection: Connection, seal: Seal, most: int, now: datetime) -> list[Parcel]:
    """Take up to `most` due rows under a lease; those that must not go out are closed."""
    # A claim need not be on the disk: one that a power cut takes back is made again, and nothing
    # of it was handed over, for that waits for the disk.
    together.by_index(connection, "synchronous_commit")
    parcels: list[Parcel] = []
    while (left := most - len(parcels)) > 0:
        rows = [_Due(*row) for row in connection.execute(DUE, {"now": now, "most": left})]
        parcels += _sorted_out(connection, seal, rows, now)
        if len(rows) < left:
            break
    return parcels


def hold(connection: Connection, parcels: Collection[Parcel], now: datetime, *, sending: bool) -> set[int]:
    """Hold on to rows; the ids still ours."""
    together.by_index(connection)
    rows = sorted((each.id, each.fence) for each in parcels)
    lease: dict[str, Any] = {"until": now + LEASE}
    if not sending:
        return together.found(connection, HOLD, HOLD_ALL, rows, **lease)
    lease |= {"renewed_before": now + LEASE / 2, "said": HANDED}
    return together.found(connection, HAND_OVER, HAND_ALL_OVER, rows, **lease)


def put_back(connection: Connection, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
    """Give rows back untried, each until its instant."""
    together.by_index(connection)
    rows = sorted((each.id, each.fence, at) for each, at in later)
    together.execute(connection, PUT_BACK, PUT_ALL_BACK, rows, now=now)


def _sorted_out(connection: Connection, seal: Seal, rows: Sequence[_Due], now: datetime) -> list[Parcel]:
    """Close what must not go out; put the rest under our lease."""
    parcels: list[Parcel] = []
    closed: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        verdict = _verdict(row, now) or _taken(row, seal, parcels, now)
        if verdict is not None:
            closed.setdefault(verdict, []).append(row.id)
    for (state, reason), ids in closed.items():
        connection.execute(CLOSE, {"ids": ids, "final": state, "why": reason, "now": now})
    if parcels:
        given = {"ids": [parcel.id for parcel in parcels], "until": now + LEASE, "now": now}
        connection.execute(CLAIM, given)
    return parcels


def _taken(row: _Due, seal: Seal, parcels: list[Parcel], now: datetime) -> tuple[str, str] | None:
    """Add the row's parcel; one that does not open is dead, so that the queue moves on."""
    try:
        item = packed(row, seal)
    except ValueError:
        return "dead", "unreadable"
    lapsed = row.state == "claimed" and row.reason == HANDED
    parcels.append(Parcel(row.id, row.fence + 1, row.attempt + 1, item, now, lapsed))
    return None


def _verdict(row: _Due, now: datetime) -> tuple[str, str] | None:
    if row.expires_at is not None and row.expires_at <= now:
        return "expired", "expired before it was sent"
    if row.unwanted:
        return "opted_out", "the recipient opted out"
    return None
