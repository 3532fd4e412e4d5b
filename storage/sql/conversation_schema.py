"""SQL schema of the conversation history."""

from sqlalchemy import Column, Index, LargeBinary, String, Table

from storage.sql.base import ROW_ID, metadata
from storage.sql.types import UtcTime

conversations = Table(
    "conversations",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("conversation", String(64), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("turns", LargeBinary, nullable=False),
    Index(None, "operator", "actor", "id"),
    Index(None, "expires_at"),
    Index(None, "operator", "channel", "started_at", "conversation"),
)
"""Past conversations, or parts of them; `actor` is the pseudonym the audit log has, `turns` is encrypted."""
