"""Outbox entries of what waits: written by an enqueue, a retry, a release or a replay."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.outbox.leases import Lease, lock_expired, save_lease
from storage.sql import bulk
from storage.sql.bulk import in_array
from storage.sql.tables import outbox, outbox_due

HANDED_OVER = "handed over"
"""Reason of a row whose worker began to send it and lost its lease: the outcome is unknown."""
WAITING_STATES = ("pending", "again", "unknown", "claimed")
"""States in which a row may be sent; `claimed` is that of a row whose lease ran out."""
FAILED_STATES = ("dead", "failed", "unknown")
"""States that need an operator's attention (dead letters); `failed_state` and its index hold these only."""

_ROW, _DUE = outbox.c, outbox_due.c
_IDS = in_array(_ROW.id, "ids")
CAN_BE_SENT = or_(*(_ROW.state == each for each in WAITING_STATES))
_ENTRY = (_ROW.id, _ROW.priority, _ROW.operator, _ROW.route)
_COLUMNS = ("row", "priority", "operator", "route", "due_at")
_WAITS_UNTIL = bindparam("back_at", type_=_DUE.due_at.type)
_INSERT = insert(outbox_due)
UPSERT_ENTRY = _INSERT.on_conflict_do_update(
    index_elements=[_DUE.row], set_={name: _INSERT.excluded[name] for name in _COLUMNS[1:]}
)
"""SQLite may give the id of an erased row again, whose entry no claim has met yet."""
DELETE_ENTRIES = delete(outbox_due).where(in_array(_DUE.row, "ids"))
_UPSERT_SET = {"due_at": _INSERT.excluded.due_at}
QUEUE_ROW = _INSERT.from_select(
    _COLUMNS, select(*_ENTRY, _WAITS_UNTIL).where(_ROW.id == bindparam("this"), CAN_BE_SENT)
).on_conflict_do_update(index_elements=[_DUE.row], set_=_UPSERT_SET)
QUEUE_ROW_BULK = bulk.build_statement(
    """
    INSERT INTO outbox_due ("row", priority, operator, route, due_at)
    SELECT outbox.id, outbox.priority, outbox.operator, outbox.route, given.back_at
    FROM {rows} JOIN outbox ON outbox.id = given.this
        AND outbox.state IN ('pending', 'again', 'unknown', 'claimed')
    ON CONFLICT ("row") DO UPDATE SET due_at = excluded.due_at
    """,
    this="bigint",
    back_at="timestamptz",
)
MARK_LOST = (
    update(outbox)
    .where(_IDS, CAN_BE_SENT)
    .values(state="claimed", attempt=_ROW.attempt + 1, failed_state=None, changed_at=bindparam("now"))
)
MARK_LOST_WHILE_SENDING = MARK_LOST.values(reason=HANDED_OVER)


def is_waiting() -> ColumnElement[bool]:
    """Return the condition that a row of the outbox waits to be sent and no worker holds it.

    Rows of the previous release have no entry: they wait while their own `due_at` is set.
    """
    is_old = _ROW.due_at.is_not(None) & (_ROW.state != "claimed")
    return CAN_BE_SENT & or_(exists().where(_DUE.row == _ROW.id), is_old)


def failed_or_null(state: ColumnElement[str]) -> ColumnElement[str | None]:
    """Return the value of `failed_state` that belongs to a state."""
    return case((or_(*(state == each for each in FAILED_STATES)), state), else_=None)


def queue_rows(connection: Connection, rows: Sequence[tuple[int, datetime]]) -> None:
    """Let rows that no lease holds be claimed, each from its time on; rows that are finished are left out."""
    if rows:
        bulk.execute_rows(connection, QUEUE_ROW, QUEUE_ROW_BULK, sorted(rows))


def queue_expired_leases(connection: Connection, now: datetime) -> None:
    """End leases that ran out: their rows may be claimed again, and count one attempt more.

    Of those that were being sent the next worker learns that their outcome is unknown.
    """
    for lease in lock_expired(connection, now):
        _mark_lost(connection, lease, now)
        queue_rows(connection, [(row_id, lease.until) for row_id in lease.row_ids])
        lease.drop_rows(lease.row_ids)
        save_lease(connection, lease)


def _mark_lost(connection: Connection, lease: Lease, now: datetime) -> None:
    statements: tuple[tuple[object, Collection[int]], ...] = (
        (MARK_LOST, lease.unsent),
        (MARK_LOST_WHILE_SENDING, lease.sending),
    )
    for statement, ids in statements:
        if ids:
            connection.execute(statement, {"ids": sorted(ids), "now": now})  # type: ignore[call-overload]
