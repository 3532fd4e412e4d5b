"""The outbox for staff: what waits, what failed and why, health of providers and links; bounded cost."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, not_, or_, select

from storage.outbox.backlog import FAILED_STATES, MAX_COUNTED
from storage.sql.engine import Database
from storage.sql.outbox_schema import HAS_LEASE, OUTBOX_COLUMNS, outbox
from storage.sql.tables import link_slots

MAX_FAILED = 1_000
"""Rows of each failed state that are counted by reason, the newest."""
MAX_LISTED_ROWS = 50
"""Failed rows that are listed, the newest of each state."""
RECENT_ROWS = 2_000
"""Newest rows of the outbox, of all operators, from which the health of providers is told."""
_ROW = outbox.c
_GROUP = ("operator", "route", "state", "provider", "reason")
_OPERATORS: BindParameter[list[str]] = bindparam("of", expanding=True)


def _grouped(rows: Select[Any]) -> Select[Any]:
    """Return the statement that counts rows by operator, route, state, provider and reason."""
    sample = rows.subquery()
    names = [sample.c[name] for name in _GROUP]
    oldest = func.min(sample.c.created_at).label("oldest_at")
    return select(*names, func.count().label("count"), oldest).group_by(*names)


_SHOWN = (*(OUTBOX_COLUMNS[name] for name in _GROUP), _ROW.created_at)
COUNT_WAITING = _grouped(
    select(*_SHOWN).where(_ROW.due_at.is_not(None), _ROW.operator.in_(_OPERATORS)).limit(MAX_COUNTED)
)
_HAS_FAILED = or_(*(_ROW.state == state for state in FAILED_STATES))
"""The condition of the partial index `ix_outbox_looked_at`."""
_FAILED = (_ROW.state == bindparam("in_state"), not_(HAS_LEASE), _HAS_FAILED, _ROW.operator.in_(_OPERATORS))
COUNT_FAILED = _grouped(select(*_SHOWN).where(*_FAILED).order_by(_ROW.id.desc()).limit(MAX_FAILED))
SELECT_FAILED = (
    select(_ROW.id, _ROW.kind, _ROW.to, *_SHOWN, _ROW.payload.is_not(None).label("has_text"))
    .where(*_FAILED)
    .order_by(_ROW.id.desc())
    .limit(MAX_LISTED_ROWS)
)
_RECENT = (
    select(_ROW.operator, _ROW.provider, OUTBOX_COLUMNS["state"], _ROW.changed_at)
    .order_by(_ROW.id.desc())
    .limit(RECENT_ROWS)
    .subquery()
)
COUNT_RECENT = (
    select(
        _RECENT.c.operator,
        _RECENT.c.provider,
        _RECENT.c.state,
        func.count().label("count"),
        func.max(_RECENT.c.changed_at).label("last_at"),
    )
    .where(_RECENT.c.provider != "", _RECENT.c.operator.in_(_OPERATORS))
    .group_by(_RECENT.c.operator, _RECENT.c.provider, _RECENT.c.state)
)
SELECT_SLOTS = select(
    link_slots.c.operator, link_slots.c.provider, link_slots.c.slot, link_slots.c.expires_at
).where(link_slots.c.operator.in_(_OPERATORS))


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows of the outbox that are alike."""

    operator: str
    route: str
    state: str
    provider: str
    reason: str
    count: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that is not sent again by itself."""

    id: int
    kind: str
    to: str = field(repr=False)
    operator: str
    route: str
    state: str
    provider: str
    reason: str
    created_at: datetime
    has_text: bool
    """Whether its text is still stored; without it the row cannot be replayed, and a code never is."""

    @property
    def can_be_replayed(self) -> bool:
        """Whether it may be sent again."""
        return self.has_text and self.kind != "code"


@dataclass(frozen=True, slots=True)
class ProviderCount:
    """How many of the newest messages a provider has in one state, and when the last one got there."""

    operator: str
    provider: str
    state: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SlotState:
    """A connection to a network, and whether a process holds it now."""

    operator: str
    provider: str
    slot: int
    is_held: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QueueView:
    """What the page of queues shows."""

    groups: Sequence[RowGroup]
    failed: Sequence[FailedRow]
    providers: Sequence[ProviderCount]
    slots: Sequence[SlotState]


class SqlQueueViews:
    """Reads the outbox of some operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_queues(self, operators: Collection[str], now: datetime) -> QueueView:
        """Return the view of these operators' messages as of `now`."""
        return await self._database.read(lambda connection: _read_view(connection, sorted(operators), now))


def _read_view(connection: Connection, operators: list[str], now: datetime) -> QueueView:
    of = {"of": operators}
    groups: list[Any] = [*connection.execute(COUNT_WAITING, of)]
    failed: list[Any] = []
    for state in FAILED_STATES:
        groups += connection.execute(COUNT_FAILED, {**of, "in_state": state})
        failed += connection.execute(SELECT_FAILED, {**of, "in_state": state})
    slots = connection.execute(SELECT_SLOTS, of)
    return QueueView(
        [RowGroup(**row._mapping) for row in groups],
        [FailedRow(**row._mapping) for row in failed],
        [ProviderCount(**row._mapping) for row in connection.execute(COUNT_RECENT, of)],
        [SlotState(*row[:3], is_held=row.expires_at > now, expires_at=row.expires_at) for row in slots],
    )
