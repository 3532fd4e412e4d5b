"""SQL schema of purchases on the bill: spending policies, charges, alerts sent."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from storage.sql.base import metadata
from storage.sql.types import ExactAmount, UtcTime

spend_policies = Table(
    "spend_policies",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("subscription", String(128), primary_key=True),
    Column("is_enabled", Boolean, nullable=False),
    Column("monthly_cap", ExactAmount, nullable=False),
    Column("alerts", Text, nullable=False),
    Column("blocked", Text, nullable=False),
    Column("blocked_merchants", Text, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)
"""What each line allows; lists are words. Its row is locked while a charge of the line is decided."""

purchase_charges = Table(
    "purchase_charges",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("subscription", String(128), nullable=False),
    Column("account", String(64), nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("merchant", String(64), nullable=False),
    Column("correlator", String(256), nullable=False),
    Column("reference", String(256), nullable=False),
    Column("category", String(16), nullable=False),
    Column("label", String(200), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(24), nullable=False),
    Column("period", String(7), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("reserved_until", UtcTime),
    Column("reason", String(32), nullable=False),
    Column("refunded", ExactAmount, nullable=False),
    Column("is_billed", Boolean, nullable=False),
    Column("sink", LargeBinary),
    CheckConstraint(
        "state IN ('pending_validation', 'reserved', 'succeeded', 'cancelled', 'denied')", name="state"
    ),
    UniqueConstraint("operator", "merchant", "correlator"),
    Index(None, "operator", "subscription", "period"),
    Index(None, "operator", "merchant", "created_at"),
)
"""Charges, never deleted: a merchant's correlator charges once. `line` and `sink` are encrypted."""

purchase_refunds = Table(
    "purchase_refunds",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("charge_id", String(32), nullable=False),
    Column("merchant", String(64), nullable=False),
    Column("correlator", String(256), nullable=False),
    Column("reference", String(256), nullable=False),
    Column("type", String(8), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("is_billed", Boolean, nullable=False),
    CheckConstraint("type IN ('total', 'partial')", name="type"),
    UniqueConstraint("operator", "merchant", "correlator"),
    Index(None, "operator", "charge_id"),
)
"""Refunds of charges, never deleted: a merchant's correlator gives back once. Their sum is `refunded` there."""

purchase_alerts = Table(
    "purchase_alerts",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("subscription", String(128), primary_key=True),
    Column("period", String(7), primary_key=True),
    Column("threshold", ExactAmount, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)
"""Alerts sent: a threshold is reported once a month, also when a refund lowers the sum in between."""
