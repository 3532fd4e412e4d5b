"""SQL schema of paused lanes of the outbox."""

from sqlalchemy import Column, String, Table

from storage.sql.base import metadata
from storage.sql.types import UtcTime

outbox_pauses = Table(
    "outbox_pauses",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("route", String(8), primary_key=True),
    Column("since", UtcTime, nullable=False),
)
"""What a command holds back: rows of this operator, kind (`notice`, `campaign`) and route are not claimed."""
