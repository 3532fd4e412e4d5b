"""What staff did in the console: entries of the audit log, read the newest first, a page at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, literal_column, select

from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.sql.engine import Database
from storage.sql.tables import audit

PAGE_ENTRIES = 100
NEWEST = 2**62
"""Id above all others: where the first page begins."""
_ROW = audit.c
_OPERATORS: BindParameter[list[str]] = bindparam("of", expanding=True)
SELECT_ENTRIES = (
    select(
        _ROW.id,
        _ROW.at,
        _ROW.operator,
        _ROW.actor,
        _ROW.action,
        _ROW.object,
        _ROW.outcome,
        _ROW.correlation.label("username"),
    )
    .where(
        _ROW.channel == literal_column("'console'"),
        _ROW.id < bindparam("before"),
        _ROW.operator.in_(_OPERATORS),
    )
    .order_by(_ROW.id.desc())
    .limit(PAGE_ENTRIES)
)
"""The channel is a literal, so that `ix_audit_console` is known to hold all these rows."""


@dataclass(frozen=True, slots=True)
class StaffEntry:
    """One thing a user did."""

    id: int
    at: datetime
    operator: str
    """Empty for a sign-in, a sign-out and a refusal."""
    actor: str
    """Pseudonym of the person it was done for, as in the person's own entries; of a sign-in, the user's."""
    action: str
    object: str
    outcome: str
    username: str


class SqlStaffLog:
    """Writes entries of staff, and reads those of some operators."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer = AuditWriter(secret)

    async def record_entry(self, entry: AuditEntry) -> None:
        """Write an audit entry now."""
        await self._database.write(lambda connection: self._audit_writer.append_entries(connection, (entry,)))

    async def list_entries(self, operators: Collection[str], before: int = NEWEST) -> Sequence[StaffEntry]:
        """Return a page of entries with smaller ids than `before`, sign-ins included."""
        values: dict[str, Any] = {"of": ["", *sorted(operators)], "before": before}
        rows = await self._database.read(lambda connection: connection.execute(SELECT_ENTRIES, values).all())
        return [StaffEntry(**row._mapping) for row in rows]
