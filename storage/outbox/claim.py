"""Claiming: rows of the outbox taken under a lease, held on to, handed over, given back."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, exists, select, text, update

from flows.domain.records import Parcel
from storage.crypto import Seal
from storage.outbox.enqueue import PRIORITY, packed
from storage.sql import bulk
from storage.sql.bulk import among
from storage.sql.schema import opt_outs, outbox

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


DUE = (
    select(*_TAKEN, _HELD_BACK.label("unwanted"))
    .where(
        _ROW.due_at.is_not(None),
        _ROW.priority == bindparam("priority"),
        _ROW.operator == bindparam("operator"),
        _ROW.route == bindparam("route"),
        _ROW.due_at <= _NOW,
    )
    .order_by(_ROW.due_at, _ROW.id)
    .limit(_MOST)
    .with_for_update(skip_locked=True, of=outbox)
)
"""What is due in one lane: a range of the index, whatever waits in the others."""

PATIENT = PRIORITY["notice"]
"""From this priority on nobody sits waiting: these rows are left where they are while their lane is full."""


class _Lane(NamedTuple):
    """Rows of one priority, operator and route."""

    priority: int
    operator: str
    route: str


_PARTS = tuple(outbox.c[name] for name in _Lane._fields)
LANES = select(*_PARTS).where(_ROW.due_at.is_not(None)).distinct().order_by(*_PARTS)
LANES_BY_STEPS = text(
    """
    WITH RECURSIVE lane AS (
        (SELECT priority, operator, route FROM outbox WHERE due_at IS NOT NULL
            ORDER BY priority, operator, route LIMIT 1)
        UNION ALL
        SELECT following.* FROM lane CROSS JOIN LATERAL (
            SELECT each.priority, each.operator, each.route FROM outbox AS each
            WHERE each.due_at IS NOT NULL
                AND (each.priority, each.operator, each.route) > (lane.priority, lane.operator, lane.route)
            ORDER BY each.priority, each.operator, each.route LIMIT 1
        ) AS following
    )
    SELECT priority, operator, route FROM lane
    """
)
"""The lanes anything waits in, each found from the one before: for `LANES` PostgreSQL reads the whole queue."""

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
HOLD_ALL = bulk.unnested(
    """
    UPDATE outbox SET due_at = CAST(:until AS timestamptz) FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    RETURNING outbox.id
    """,
    **_CLAIM,
)
_UNTIL = bindparam("until", type_=_ROW.due_at.type)
"""Typed by hand: in a `case` nothing tells the type, and SQLite would be given a form of its own."""
_RENEWED = case((_ROW.due_at < bindparam("renewed_before"), _UNTIL), else_=_ROW.due_at)
HAND_OVER = HOLD.values(reason=bindparam("said"), due_at=_RENEWED)
HAND_ALL_OVER = bulk.unnested(
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
PUT_ALL_BACK = bulk.unnested(
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


def claim(
    connection: Connection, seal: Seal, most: int, now: datetime, full: Collection[tuple[str, str]] = ()
) -> list[Parcel]:
    """Take up to `most` due rows under a lease, none of lanes that are `full`; close what must not go out."""
    # A claim need not be on the disk: one that a power cut takes back is made again, and nothing
    # of it was handed over, for that waits for the disk.
    bulk.by_index(connection, "synchronous_commit")
    parcels: list[Parcel] = []
    lanes = [lane for lane in _lanes(connection) if lane.priority < PATIENT or lane[1:] not in full]
    while lanes and (left := most - len(parcels)) > 0:
        abreast = [lane for lane in lanes if lane.priority == lanes[0].priority]
        rows, deep = _shared(connection, abreast, left, now)
        parcels += _sorted_out(connection, seal, rows, now)
        lanes = deep + lanes[len(abreast) :]
    return parcels


def _lanes(connection: Connection) -> list[_Lane]:
    """Where anything waits, by priority."""
    steps = connection.dialect.name == "postgresql"
    return [_Lane._make(row) for row in connection.execute(LANES_BY_STEPS if steps else LANES)]


def _shared(
    connection: Connection, lanes: Sequence[_Lane], most: int, now: datetime
) -> tuple[list[_Due], list[_Lane]]:
    """Up to `most` rows, as many of each lane as of the others while it has them; and the lanes with more.

    No row is read and locked that there is no room for, and no operator's billing day delays another's.
    """
    rows: list[_Due] = []
    deep: list[_Lane] = []
    for index, lane in enumerate(lanes):
        share = ceil((most - len(rows)) / (len(lanes) - index))
        found = connection.execute(DUE, {**lane._asdict(), "now": now, "most": share})
        taken = [_Due._make(row) for row in found]
        rows += taken
        if len(taken) == share:
            deep.append(lane)
    return rows, deep


def hold(connection: Connection, parcels: Collection[Parcel], now: datetime, *, sending: bool) -> set[int]:
    """Hold on to rows; the ids still ours."""
    bulk.by_index(connection)
    rows = sorted((each.id, each.fence) for each in parcels)
    lease: dict[str, Any] = {"until": now + LEASE}
    if not sending:
        return bulk.found(connection, HOLD, HOLD_ALL, rows, **lease)
    lease |= {"renewed_before": now + LEASE / 2, "said": HANDED}
    return bulk.found(connection, HAND_OVER, HAND_ALL_OVER, rows, **lease)


def put_back(connection: Connection, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
    """Give rows back untried, each until its instant."""
    bulk.by_index(connection)
    rows = sorted((each.id, each.fence, at) for each, at in later)
    bulk.execute(connection, PUT_BACK, PUT_ALL_BACK, rows, now=now)


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
