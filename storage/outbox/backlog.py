"""Outbox backlog: age of the oldest unfinished message and rows by state, at a bounded cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, case, func, not_, or_, select

from flows.domain.payment_records import PAYMENT_CHECK
from storage.outbox.leases import read_held_rows
from storage.outbox.waiting import CAN_BE_SENT, FAILED_STATES
from storage.sql.bulk import in_array
from storage.sql.engine import Database
from storage.sql.tables import outbox, outbox_due

MAX_COUNTED = 10_000
"""Rows counted exactly for each state; a gauge at this value means so many or more."""
_ROW, _DUE = outbox.c, outbox_due.c
_IS_HELD = and_(_ROW.is_unprompted, _ROW.attempt == 0)
"""Held by quiet hours: given back without an attempt."""
_WAITS_BY_PLAN = or_(_ROW.state == "pending", _ROW.step == PAYMENT_CHECK, _IS_HELD)
_IS_LATE = not_(and_(_WAITS_BY_PLAN, _DUE.due_at > bindparam("now", type_=_DUE.due_at.type)))
"""Waiting rows, except those whose first attempt, or next question by plan, is scheduled for later."""
_SINCE = case((_ROW.step == PAYMENT_CHECK, _DUE.due_at), else_=_ROW.created_at)
"""Since when a row waits: since it was enqueued, or since a question by plan was due."""
_WAITING = outbox_due.join(outbox, and_(_ROW.id == _DUE.row, CAN_BE_SENT))
_SAMPLED = (
    select(_ROW.state, _SINCE.label("since"), _IS_LATE.label("is_late"))
    .select_from(_WAITING)
    .limit(MAX_COUNTED)
    .subquery()
)
COUNT_WAITING = select(
    _SAMPLED.c.state,
    func.count().label("rows"),
    func.min(_SAMPLED.c.since).filter(_SAMPLED.c.is_late).label("oldest"),
).group_by(_SAMPLED.c.state)
OLDEST_BY_ID = select(_SINCE).select_from(_WAITING).where(_IS_LATE).order_by(_DUE.row).limit(1)
"""Creation time of the oldest of a deep backlog: ids grow with time, so the first one found is it."""
OLDEST_HELD = select(func.min(_ROW.created_at)).where(in_array(_ROW.id, "held"))


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """What waits in the outbox and what failed."""

    oldest_at: datetime | None
    """When the oldest unfinished message was enqueued, whether it is due now or to be tried again."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Rows by state, each at most MAX_COUNTED."""

    def age_seconds(self, now: datetime) -> float:
        """Return the age of the oldest unfinished message in seconds; 0 when nothing is unfinished."""
        return max((now - self.oldest_at).total_seconds(), 0.0) if self.oldest_at else 0.0


async def read_backlog(database: Database, now: datetime) -> OutboxBacklog:
    """Read the backlog as of `now`. Raises Unavailable when the database does not answer."""
    return await database.read(lambda connection: _measure_backlog(connection, now))


def _measure_backlog(connection: Connection, now: datetime) -> OutboxBacklog:
    rows = connection.execute(COUNT_WAITING, {"now": now}).all()
    oldest = [row.oldest for row in rows if row.oldest]
    if sum(row.rows for row in rows) >= MAX_COUNTED:
        oldest = list(connection.execute(OLDEST_BY_ID, {"now": now}).scalars())
    counts = dict.fromkeys(("pending", "claimed", "again"), 0) | {row.state: row.rows for row in rows}
    held = list(read_held_rows(connection))
    if held:
        counts["claimed"] += len(held)
        oldest += filter(None, connection.execute(OLDEST_HELD, {"held": held}).scalars())
    return OutboxBacklog(min(oldest, default=None), counts | _count_failed(connection))


def _count_failed(connection: Connection) -> dict[str, int]:
    """Return the rows of each state that needs an operator's attention."""
    counts = {}
    for state in FAILED_STATES:
        some = select(_ROW.id).where(_ROW.failed_state == state).limit(MAX_COUNTED).subquery()
        counts[state] = int(connection.execute(select(func.count()).select_from(some)).scalar_one())
    return counts
