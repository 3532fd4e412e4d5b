"""Due rows of the outbox: read by priority, operator and route, in equal shares."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, exists, or_, select, text, update

from storage.outbox.enqueue import PRIORITY
from storage.sql.outbox_schema import OUTBOX_COLUMNS, outbox
from storage.sql.tables import opt_outs

_ROW = outbox.c
_RECIPIENT_OPTED_OUT = and_(
    _ROW.kind.in_(("notice", "campaign")),
    exists().where(opt_outs.c.operator == _ROW.operator, opt_outs.c.number == _ROW.to),
)
_NOW = bindparam("now", type_=_ROW.due_at.type)
_LIMIT = bindparam("most", type_=_ROW.attempt.type)


class DueRow(NamedTuple):
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
    is_unprompted: bool
    trace_parent: str | None
    opted_out: bool


_DUE_COLUMNS = tuple(OUTBOX_COLUMNS[name] for name in DueRow._fields[:-1])


SELECT_DUE = (
    select(*_DUE_COLUMNS, _RECIPIENT_OPTED_OUT.label("unwanted"))
    .where(
        _ROW.due_at.is_not(None),
        _ROW.priority == bindparam("priority"),
        _ROW.operator == bindparam("operator"),
        _ROW.route == bindparam("route"),
        _ROW.due_at <= _NOW,
        or_(_ROW.leased_until.is_(None), _ROW.leased_until <= _NOW),
    )
    .order_by(_ROW.due_at, _ROW.id)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True, of=outbox)
)
"""The due rows of one partition: an index range scan, independent of what waits in other partitions.

Leased rows keep their place in the index and are skipped one by one: at most `MAX_HELD` of each worker
(`gateway.delivery`).
"""

MAKE_FUTURE_ROWS_DUE = (
    update(outbox)
    .where(
        _ROW.due_at.is_not(None),
        _ROW.due_at > _NOW,
        _ROW.due_at == _ROW.created_at,
        _ROW.state == "pending",
    )
    .values(due_at=_NOW)
)
"""Rows due at once by the clock of a process that ran ahead when it wrote them."""

DEFERRABLE_PRIORITY = PRIORITY["notice"]
"""From this priority on rows can wait: they are not claimed while their route is saturated."""


class Partition(NamedTuple):
    """The outbox rows of one priority, operator and route."""

    priority: int
    operator: str
    route: str


SELECT_PARTITIONS_SQLITE = text(
    """
    WITH RECURSIVE lane(id) AS (
        SELECT (SELECT id FROM outbox WHERE due_at IS NOT NULL ORDER BY priority, operator, route LIMIT 1)
        UNION ALL
        SELECT coalesce(
            (SELECT each.id FROM outbox AS each WHERE each.due_at IS NOT NULL
                AND each.priority = seen.priority AND each.operator = seen.operator AND each.route > seen.route
                ORDER BY each.route LIMIT 1),
            (SELECT each.id FROM outbox AS each WHERE each.due_at IS NOT NULL
                AND each.priority = seen.priority AND each.operator > seen.operator
                ORDER BY each.operator, each.route LIMIT 1),
            (SELECT each.id FROM outbox AS each WHERE each.due_at IS NOT NULL
                AND each.priority > seen.priority
                ORDER BY each.priority, each.operator, each.route LIMIT 1)
        ) FROM lane JOIN outbox AS seen ON seen.id = lane.id
    )
    SELECT priority, operator, route FROM lane JOIN outbox ON outbox.id = lane.id
    ORDER BY priority, operator, route
    """
)
"""The skip scan below for SQLite, which has no LATERAL and compares only the first column by index."""
SELECT_PARTITIONS_POSTGRES = text(
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

For `SELECT DISTINCT` both databases would read the whole queue.
"""


def make_future_rows_due(connection: Connection, now: datetime) -> None:
    """Make rows due that were enqueued to go at once by a process whose clock was ahead.

    On SQLite only: with PostgreSQL every process keeps the server's time.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(MAKE_FUTURE_ROWS_DUE, {"now": now})


def list_partitions(connection: Connection) -> list[Partition]:
    """Return the partitions with waiting rows, ordered by priority."""
    postgres = connection.dialect.name == "postgresql"
    rows = connection.execute(SELECT_PARTITIONS_POSTGRES if postgres else SELECT_PARTITIONS_SQLITE)
    return [Partition._make(row) for row in rows]


def select_fairly(
    connection: Connection, partitions: Sequence[Partition], limit: int, now: datetime
) -> tuple[list[DueRow], list[Partition]]:
    """Select up to `limit` due rows in equal shares of the partitions; also return those with more rows.

    No more rows are read and locked than are claimed, and no operator's bill run delays another's.
    """
    rows: list[DueRow] = []
    with_more: list[Partition] = []
    for index, partition in enumerate(partitions):
        share = ceil((limit - len(rows)) / (len(partitions) - index))
        result = connection.execute(SELECT_DUE, {**partition._asdict(), "now": now, "most": share})
        due_rows = [DueRow._make(row) for row in result]
        rows += due_rows
        if len(due_rows) == share:
            with_more.append(partition)
    return rows, with_more
