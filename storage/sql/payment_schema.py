"""SQL schema of payments: intents, what staff did about them, provider events, promises to pay."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from storage.sql.base import metadata
from storage.sql.types import ExactAmount, UtcTime

IS_OPEN = text("state IN ('confirmed', 'pending')")
IS_BOOKING = text("state = 'booking'")

payment_intents = Table(
    "payment_intents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("subscription", String(128), nullable=False),
    Column("account", String(64), nullable=False),
    Column("bill", String(64), nullable=False),
    Column("bill_number", String(64), nullable=False),
    Column("issued", Date, nullable=False),
    Column("people", LargeBinary, nullable=False),
    Column("language", String(16), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(16), nullable=False),
    Column("receipt", String(16), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("page_url", Text, nullable=False),
    Column("page_expires_at", UtcTime),
    Column("reason", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    CheckConstraint(
        "state IN ('confirmed', 'pending', 'unknown', 'succeeded', 'booking', 'booked',"
        " 'refunding', 'refunded', 'failed', 'expired')",
        name="state",
    ),
    Index(None, "operator", "account", "bill", "created_at"),
    Index(None, "operator", "subscription"),
    Index(None, "operator", "created_at"),
    Index(
        "uq_payment_intents_open",
        *("operator", "account", "bill"),
        unique=True,
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    ),
    Index(
        "uq_payment_intents_booking",
        *("operator", "account", "bill"),
        unique=True,
        postgresql_where=IS_BOOKING,
        sqlite_where=IS_BOOKING,
    ),
)
"""Payment intents: a bill has one open at a time, and one being booked; `people` is encrypted."""

payment_resolutions = Table(
    "payment_resolutions",
    metadata,
    Column("intent", String(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("staff", String(64), nullable=False),
    Column("note", String(255), nullable=False),
    Column("at", UtcTime, nullable=False),
    CheckConstraint("state IN ('refunded', 'booked', 'failed')", name="state"),
    Index(None, "at"),
)
"""What staff did by hand about payments that the gateway could not decide: one row of a payment at most."""

payment_events = Table(
    "payment_events",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("provider", String(32), primary_key=True),
    Column("event", String(160), primary_key=True),
    Column("intent", String(32), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)
"""Events of payment providers already seen: one that comes again changes nothing."""

payment_promises = Table(
    "payment_promises",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("subscription", String(128), nullable=False),
    Column("account", String(64), nullable=False),
    Column("bill", String(64), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("promised_at", UtcTime, nullable=False),
    Index(None, "operator", "account", "promised_at"),
    Index(None, "operator", "subscription"),
)
"""Promises to pay made through the gateway: no reminder of the bill goes out until the last day is over."""
