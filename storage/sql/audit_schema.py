"""SQL schema of the audit log, number owners, code budgets and the daily SMS spend."""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, String, Table, Text, text

from storage.sql.base import ROW_ID, metadata
from storage.sql.types import UtcTime

audit = Table(
    "audit",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("operator", String(64), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("action", String(128), nullable=False),
    Column("object", String(128), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("correlation", String(255), nullable=False),
    Column("mac", LargeBinary(32), nullable=False),
    Column("seq", BigInteger, unique=True),
    Column("hash", LargeBinary(32)),
    Index(None, "operator", "actor", "id"),
    Index(None, "at", postgresql_using="brin"),
    Index(
        "ix_audit_console",
        "id",
        postgresql_where=text("channel = 'console'"),
        sqlite_where=text("channel = 'console'"),
    ),
)
"""Audit trail: `mac` authenticates an entry when it is written.

`seq` and `hash` chain an entry of a database without `audit_pages` to the previous one.
"""

audit_pages = Table(
    "audit_pages",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("previous_hash", LargeBinary(32), nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("line_ids", Text, nullable=False),
    Column("newest_at", UtcTime, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("last_id", ROW_ID, nullable=False),
    Column("floor_id", ROW_ID, nullable=False),
    Column("missing_ids", Text, nullable=False),
    Index(None, "newest_at"),
)
"""Chain of the audit trail, a page at a time: `root` is over the MACs of its lines, `hash` over the page.

`line_ids` are ranges of `audit.id`. `newest_at` is the time of the newest line in this page or one before it.
`last_id` is the highest id chained so far, `missing_ids` those below it that may still be committed, each range
with the time since when (JSON). No line of this page or a later one has an id below `floor_id`.
"""

bindings = Table(
    "bindings",
    metadata,
    Column("line", LargeBinary(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("subscription", String(128), nullable=False),
    Column("since", Date, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "operator", "subscription"),
)
"""Last known owner of each number; `line` is a keyed hash of operator and number."""

code_budgets = Table(
    "code_budgets",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("wrong", Integer, nullable=False),
    Index(None, "since"),
)
"""Wrong codes by source and by operator (attempt budgets); `subject` is a keyed hash."""

spends = Table(
    "spends",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("route", String(16), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("parts", Integer, nullable=False),
)
"""SMS spend: message parts reserved for sending on each day (UTC)."""
