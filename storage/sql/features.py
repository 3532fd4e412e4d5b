"""Database features: what every process may write once none of the previous release runs any more.

A database that a release creates has them from the start. After an upgrade `dialtree db finish` turns them on.
"""

from datetime import datetime

from sqlalchemy import Column, Connection, Exists, String, Table, exists, select, text
from sqlalchemy.dialects.postgresql import insert

from storage.sql.base import metadata
from storage.sql.types import UtcTime

AUDIT_PAGES = "audit_pages"
"""Audit entries are chained by page; the previous release would chain each of them once more."""
OUTBOX_LEASES = "outbox_leases"
"""Leases of the outbox are in a column of their own; the previous release would claim a leased row again."""
FEATURES = (AUDIT_PAGES, OUTBOX_LEASES)

database_features = Table(
    "database_features",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("enabled_at", UtcTime, nullable=False),
)

_ENABLED = select(database_features.c.name)
_INSERT = insert(database_features).on_conflict_do_nothing(index_elements=[database_features.c.name])
UNUSED_INDEXES = ("ix_audit_unsealed",)
"""Indexes that only the previous release reads."""


def enable_features(connection: Connection, now: datetime) -> None:
    """Turn every feature on and drop the indexes that are not read any more; a second time changes nothing."""
    connection.execute(_INSERT, [{"name": name, "enabled_at": now} for name in FEATURES])
    for index in UNUSED_INDEXES:
        connection.execute(text(f"DROP INDEX IF EXISTS {index}"))


def list_disabled_features(connection: Connection) -> tuple[str, ...]:
    """Return the features that `dialtree db finish` would turn on."""
    enabled = set(connection.execute(_ENABLED).scalars())
    return tuple(name for name in FEATURES if name not in enabled)


def is_enabled(connection: Connection, feature: str) -> bool:
    """Return whether a feature was turned on."""
    return feature in connection.execute(_ENABLED).scalars().all()


def enabled_condition(feature: str) -> Exists:
    """Return the SQL condition that a feature was turned on, for a statement that differs by it."""
    return exists().where(database_features.c.name == feature)
