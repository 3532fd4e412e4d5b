"""SQL schema of the outbox: messages, what waits, leases of workers, delivery receipts."""

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
    false,
    text,
)

from storage.sql.base import ROW_ID, metadata
from storage.sql.types import UtcTime

OUTBOX_FILLFACTOR = 45
"""PostgreSQL fillfactor of the outbox, in percent.

A message that is sent at the first attempt is updated once, when it is settled; both versions fit on one page.
That update changes no indexed column, so that no index is written (HOT).
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
    Column("is_unprompted", Boolean, nullable=False, server_default=false()),
    Column("failed_state", String(16)),
    UniqueConstraint("key"),
    CheckConstraint(
        "state IN ('pending', 'claimed', 'again', 'unknown', 'sent',"
        " 'delivered', 'failed', 'dead', 'expired', 'opted_out')",
        name="state",
    ),
    Index(
        "ix_outbox_lanes",
        "priority",
        "operator",
        "route",
        "due_at",
        "id",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_outbox_failed",
        "failed_state",
        "id",
        postgresql_where=text("failed_state IS NOT NULL"),
        sqlite_where=text("failed_state IS NOT NULL"),
    ),
    Index("ix_outbox_recipient", "operator", "to", "id"),
)
"""Transactional outbox: messages and deferred steps, their state and what became of each.

A row that waits has an entry in `outbox_due`, one that a worker holds stands in `outbox_leases`. `due_at` and
`fence` belong to workers of the previous release: both tell them apart from rows of this one, whose `due_at` is
NULL. `failed_state` repeats `state` while that is dead, failed or unknown: an index on `state` itself would
have to be written whenever a message is sent.
"""

outbox_due = Table(
    "outbox_due",
    metadata,
    Column("row", ROW_ID, primary_key=True, autoincrement=False),
    Column("priority", Integer, nullable=False),
    Column("operator", String(64), nullable=False),
    Column("route", String(8), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Index("ix_outbox_due_lanes", "priority", "operator", "route", "due_at", "row"),
)
"""What waits to be sent, and from when: a claim deletes the entries it takes and writes one lease.

An entry whose message was finished otherwise (a receipt, a new owner of the number) is dropped by the claim
that meets it.
"""

outbox_leases = Table(
    "outbox_leases",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("until", UtcTime, nullable=False),
    Column("unsent", Text, nullable=False),
    Column("sending", Text, nullable=False),
    Index(None, "until"),
    sqlite_autoincrement=True,
)
"""Leases: the outbox rows a worker claimed together, until when they are its own; `id` is the fencing token.

`unsent` and `sending` are row ids with commas between: those not yet handed to a provider, and those that were.
SQLite must not give an id again (AUTOINCREMENT), or a worker that lost its lease would pass for the next one.
"""

receipts = Table(
    "receipts",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("message_id", String(160), primary_key=True),
    Column("row", ROW_ID),
    Column("state", String(16)),
    Column("raw", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(
        "ix_receipts_spoken",
        "row",
        postgresql_where=text("state IS NOT NULL"),
        sqlite_where=text("state IS NOT NULL"),
    ),
)
"""Delivery receipts, joined to outbox rows: the send sets `row`, the receipt sets `state`, in any order.

Both write the same record, so the later transaction waits for the earlier and sees it. A receipt that
arrives before the send's response is stored here, and none is lost between the two transactions.
"""
