"""Outbox claim: take due rows under a lease with a fencing token, renew leases, release rows."""

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
"""Lease of a claimed row, unless renewed; afterwards others may claim it and the old fence is refused."""

HANDED = "handed over"
"""Reason of a claimed row whose worker began to send it: its outcome may be unknown from here on."""

_ROW = outbox.c
_HELD_BACK = and_(
    _ROW.kind.in_(("notice", "campaign")),
    exists().where(opt_outs.c.operator == _ROW.operator, opt_outs.c.number == _ROW.to),
)
_NOW = bindparam("now", type_=_ROW.due_at.type)
_MOST = bindparam("most", type_=_ROW.attempt.type)


class _Due(NamedTuple):
    """A due row, as `SELECT_DUE` reads it; attribute access on the driver's rows takes ten times as long."""

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
"""The due rows of one partition: an index range scan, independent of what waits in other partitions."""

PATIENT = PRIORITY["notice"]
"""From this priority on rows can wait: they are not claimed while their route is saturated."""


class _Lane(NamedTuple):
    """The outbox rows of one priority, operator and route."""

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
"""Partitions with waiting rows, by a loose index scan (skip scan).

For `SELECT_PARTITIONS` PostgreSQL would read the whole queue.
"""

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
"""A lease in its first half is not renewed: an update that changes no indexed column costs half (HOT)."""
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
    """Claim up to `limit` due rows under a lease and close those that must not be sent.

    `saturated`: operators and routes whose deferrable rows are not claimed.
    """
    # Commit asynchronously: a claim lost in a power cut is made again. None of its rows was handed
    # over, because that commit is synchronous.
    bulk.by_index(connection, "synchronous_commit")
    messages: list[Parcel] = []
    partitions = [
        partition
        for partition in _lanes(connection)
        if partition.priority < PATIENT or partition[1:] not in full
    ]
    while partitions and (remaining := most - len(messages)) > 0:
        same_priority = [partition for partition in partitions if partition.priority == partitions[0].priority]
        rows, with_more = _shared(connection, same_priority, remaining, now)
        messages += _sorted_out(connection, seal, rows, now)
        partitions = with_more + partitions[len(same_priority) :]
    return messages


def _lanes(connection: Connection) -> list[_Lane]:
    """Return the partitions with waiting rows, ordered by priority."""
    steps = connection.dialect.name == "postgresql"
    return [_Lane._make(row) for row in connection.execute(LANES_BY_STEPS if steps else LANES)]


def _shared(
    connection: Connection, lanes: Sequence[_Lane], most: int, now: datetime
) -> tuple[list[_Due], list[_Lane]]:
    """Select up to `limit` due rows in equal shares of the partitions; also return those with more rows.

    No more rows are read and locked than are claimed, and no operator's bill run delays another's.
    """
    rows: list[_Due] = []
    with_more: list[_Lane] = []
    for index, partition in enumerate(lanes):
        share = ceil((most - len(rows)) / (len(lanes) - index))
        result = connection.execute(DUE, {**partition._asdict(), "now": now, "most": share})
        due_rows = [_Due._make(row) for row in result]
        rows += due_rows
        if len(due_rows) == share:
            with_more.append(partition)
    return rows, with_more


def hold(connection: Connection, parcels: Collection[Parcel], now: datetime, *, sending: bool) -> set[int]:
    """Renew the leases of claimed rows; return the ids whose lease is still held.

    `sending` also marks the rows as handed over.
    """
    bulk.by_index(connection)
    rows = sorted((each.id, each.fence) for each in parcels)
    lease: dict[str, Any] = {"until": now + LEASE}
    if not sending:
        return bulk.found(connection, HOLD, HOLD_ALL, rows, **lease)
    lease |= {"renewed_before": now + LEASE / 2, "said": HANDED}
    return bulk.found(connection, HAND_OVER, HAND_ALL_OVER, rows, **lease)


def put_back(connection: Connection, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
    """Release claimed rows unsent, each until its instant; no attempt is counted."""
    bulk.by_index(connection)
    rows = sorted((each.id, each.fence, at) for each, at in later)
    bulk.execute(connection, PUT_BACK, PUT_ALL_BACK, rows, now=now)


def _sorted_out(connection: Connection, seal: Seal, rows: Sequence[_Due], now: datetime) -> list[Parcel]:
    """Close the rows that must not be sent and claim the others."""
    messages: list[Parcel] = []
    closing: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        final = _verdict(row, now) or _taken(row, seal, messages, now)
        if final is not None:
            closing.setdefault(final, []).append(row.id)
    for (state, reason), ids in closing.items():
        connection.execute(CLOSE, {"ids": ids, "final": state, "why": reason, "now": now})
    if messages:
        parameters = {"ids": [message.id for message in messages], "until": now + LEASE, "now": now}
        connection.execute(CLAIM, parameters)
    return messages


def _taken(row: _Due, seal: Seal, parcels: list[Parcel], now: datetime) -> tuple[str, str] | None:
    """Decrypt a row into `messages`; return the state `dead` when it cannot be decrypted."""
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
