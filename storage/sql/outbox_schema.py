"""SQL schema of the outbox, and what a row's columns mean while a worker has claimed it."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    case,
    false,
    func,
    literal,
    or_,
    text,
)

from storage.sql.base import ROW_ID, metadata
from storage.sql.types import UtcTime

OUTBOX_FILLFACTOR = 33
"""PostgreSQL fillfactor of the outbox, in percent: at 33 all versions of a row fit on one page (HOT updates).

50 suffices only while no open transaction keeps the old versions from being pruned.
"""

outbox = Table(
    "outbox",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("key", String(255), nullable=False),
    Column("operator", String(64), nullable=False),
    Column("form", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("to", String(320), nullable=False),
    Column("route", String(8), nullable=False),
    Column("language", String(16), nullable=False),
    Column("step", String(128), nullable=False),
    Column("payload", LargeBinary),
    Column("state", String(16), nullable=False),
    Column("due_at", UtcTime),
    Column("expires_at", UtcTime),
    Column("fence", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("message_id", String(160), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    UniqueConstraint("key"),
    CheckConstraint(
        "state IN ('pending', 'claimed', 'again', 'unknown', 'sent',"
        " 'delivered', 'failed', 'dead', 'expired', 'opted_out')",
        name="state",
    ),
    Column("is_unprompted", Boolean, nullable=False, server_default=false()),
    Column("trace_parent", String(55)),
    Column("leased_until", UtcTime),
    Index(
        *("ix_outbox_lanes", "priority", "operator", "route", "due_at", "id"),
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_outbox_looked_at",
        "state",
        "id",
        postgresql_where=text("state IN ('dead', 'failed', 'unknown')"),
        sqlite_where=text("state IN ('dead', 'failed', 'unknown')"),
    ),
    Index("ix_outbox_recipient", "operator", "to", "id"),
)
"""Transactional outbox: a row can be claimed once `due_at` and the end of its lease are past.

A claim sets `leased_until`, which no index contains, and leaves `state` and `due_at` as they are: on
PostgreSQL it changes no index (HOT update, decision 0400). Before `dialtree db finish` it sets the state to
`claimed` and `due_at` to the end of the lease instead, as the previous release does. `ROW_STATE` and
`CLAIMABLE_AT` tell a row's state and when it can be claimed, wherever its lease is.
"""

_ROW = outbox.c
HAS_LEASE = _ROW.leased_until.is_not(None)
"""Claimed, with its lease in a column of its own."""
IS_CLAIMED = or_(HAS_LEASE, _ROW.state == "claimed")
"""Claimed, wherever its lease is."""
ROW_STATE = case((HAS_LEASE, literal("claimed", _ROW.state.type)), else_=_ROW.state)
"""The state of a row, `claimed` while a worker has it."""
CLAIMABLE_AT = func.coalesce(_ROW.leased_until, _ROW.due_at, type_=_ROW.due_at.type)
"""When a row is due or, while it is claimed, when its lease ends; NULL for a finished row."""
OUTBOX_COLUMNS = {column.name: column for column in outbox.c} | {
    "state": ROW_STATE.label("state"),
    "due_at": CLAIMABLE_AT.label("due_at"),
}
"""What to select of a row by name."""
