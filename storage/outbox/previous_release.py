"""Rows of the previous release's processes: moved over as workers of this release meet them.

While both run, the previous release enqueues with `due_at` in the message's own row, and its workers claim such
rows only. Each row is therefore claimed by one of the two ways: moving it locks it and clears `due_at`.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, update

from storage.outbox.leases import read_held_rows
from storage.outbox.waiting import DELETE_ENTRIES, UPSERT_ENTRY
from storage.sql import bulk
from storage.sql.bulk import in_array
from storage.sql.tables import outbox

MOVED_ROWS = 5_000
"""Rows moved in one transaction."""
_ROW = outbox.c
_NOW = bindparam("now", type_=_ROW.due_at.type)
_IS_FREE = or_(_ROW.state != "claimed", _ROW.due_at <= _NOW)
"""Not claimed, or by a worker of the previous release that lost its lease."""
SELECT_OLD_ROWS = (
    select(_ROW.id.label("row"), _ROW.priority, _ROW.operator, _ROW.route, _ROW.due_at)
    .where(_ROW.due_at.is_not(None), _IS_FREE)
    .order_by(_ROW.priority, _ROW.operator, _ROW.route, _ROW.due_at, _ROW.id)
    .limit(MOVED_ROWS)
    .with_for_update(skip_locked=True, of=outbox)
)
CLEAR_OLD_ROWS = update(outbox).where(in_array(_ROW.id, "ids")).values(due_at=None, fence=_ROW.fence + 1)
"""A higher `fence` refuses the outcome of a worker of the previous release that lost its lease."""


def move_old_rows(connection: Connection, now: datetime) -> int:
    """Move up to `MOVED_ROWS` rows that the previous release enqueued or replayed; return how many there were.

    One that a worker of this release is sending at this moment is left to it.
    """
    bulk.force_index_scans(connection)
    rows = [dict(row._mapping) for row in connection.execute(SELECT_OLD_ROWS, {"now": now})]
    if rows:
        connection.execute(UPSERT_ENTRY, rows)
        held = set(read_held_rows(connection)).intersection(row["row"] for row in rows)
        connection.execute(DELETE_ENTRIES, {"ids": sorted(held)})
        connection.execute(CLEAR_OLD_ROWS, {"ids": [row["row"] for row in rows]})
    return len(rows)
