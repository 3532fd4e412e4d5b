"""SQL schema of links: the slots processes hold under a lease, and the messages delivered by them."""

from sqlalchemy import Column, Index, Integer, String, Table

from storage.sql.base import metadata
from storage.sql.types import UtcTime

link_slots = Table(
    "link_slots",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
"""Slots of links: a row is created once and changes hands; `fence` grows with every owner."""

link_deliveries = Table(
    "link_deliveries",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("delivery", String(64), nullable=False),
    Column("era", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)
"""The last delivery of each message a link took; `fingerprint` is a keyed hash."""
