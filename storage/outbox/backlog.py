"""Outbox backlog: age of the oldest unfinished message and rows by state, at a bounded cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, case, func, not_, or_, select

from flows.domain.payment_records import PAYMENT_CHECK
from storage.sql.engine import Database
from storage.sql.outbox_schema import CLAIMABLE_AT, HAS_LEASE, OUTBOX_COLUMNS, ROW_STATE, outbox

MAX_COUNTED = 10_000
"""Rows counted exactly for each state; a gauge at this value means so many or more."""
_ROW = outbox.c
_UNFINISHED = _ROW.due_at.is_not(None)
_IS_HELD = and_(_ROW.is_unprompted, _ROW.attempt == 0)
"""Held by quiet hours: given back without an attempt."""
_WAITS_BY_PLAN = or_(ROW_STATE == "pending", _ROW.step == PAYMENT_CHECK, _IS_HELD)
_NOW = bindparam("now", type_=_ROW.due_at.type)
_IS_LATE = and_(_UNFINISHED, not_(and_(_WAITS_BY_PLAN, CLAIMABLE_AT > _NOW)))
"""Unfinished rows, except those whose first attempt, or next question by plan, is scheduled for later."""
_SINCE = case((_ROW.step == PAYMENT_CHECK, CLAIMABLE_AT), else_=_ROW.created_at)
"""Since when a row waits: since it was enqueued, or since a question by plan was due."""
_SAMPLE = (
    select(OUTBOX_COLUMNS["state"], _SINCE.label("since"), _IS_LATE.label("is_late"))
    .where(_UNFINISHED)
    .limit(MAX_COUNTED)
)
_SAMPLED = _SAMPLE.subquery()
COUNT_UNFINISHED = select(
    _SAMPLED.c.state,
    func.count().label("rows"),
    func.min(_SAMPLED.c.since).filter(_SAMPLED.c.is_late).label("oldest"),
).group_by(_SAMPLED.c.state)
OLDEST_BY_ID = select(_SINCE).where(_IS_LATE).order_by(_ROW.id).limit(1)
"""Creation time of the oldest of a deep backlog: ids grow with time, so the first one found is it."""
FAILED_STATES = ("dead", "failed", "unknown")
"""States that need an operator's attention (dead letters); an index holds these rows only."""
_LOOKED_AT = or_(*(_ROW.state == state for state in FAILED_STATES))


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
    rows = connection.execute(COUNT_UNFINISHED, {"now": now}).all()
    counts = dict.fromkeys(("pending", "claimed", "again"), 0) | {row.state: row.rows for row in rows}
    oldest = min((row.oldest for row in rows if row.oldest), default=None)
    if sum(row.rows for row in rows) >= MAX_COUNTED:
        oldest = connection.execute(OLDEST_BY_ID, {"now": now}).scalar()
    return OutboxBacklog(oldest, counts | _count_failed(connection))


def _count_failed(connection: Connection) -> dict[str, int]:
    """Return the rows of each state that needs an operator's attention."""
    counts = {}
    for state in FAILED_STATES:
        failed = (_ROW.state == state, _LOOKED_AT, not_(HAS_LEASE))
        some = select(_ROW.id).where(*failed).limit(MAX_COUNTED).subquery()
        counts[state] = int(connection.execute(select(func.count()).select_from(some)).scalar_one())
    return counts
