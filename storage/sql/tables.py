"""SQL schema: the tables (SQLAlchemy) and the indexes that the queries use."""

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
    text,
)

from storage.sql import features as features
from storage.sql import revision_schema as revision_schema
from storage.sql.audit_schema import audit as audit
from storage.sql.audit_schema import bindings as bindings
from storage.sql.audit_schema import code_budgets as code_budgets
from storage.sql.audit_schema import spends as spends
from storage.sql.base import ROW_ID
from storage.sql.base import metadata as metadata
from storage.sql.billing_schema import billing_allowances as billing_allowances
from storage.sql.billing_schema import billing_bills as billing_bills
from storage.sql.billing_schema import billing_charges as billing_charges
from storage.sql.billing_schema import billing_debits as billing_debits
from storage.sql.billing_schema import billing_documents as billing_documents
from storage.sql.billing_schema import billing_entries as billing_entries
from storage.sql.billing_schema import billing_lines as billing_lines
from storage.sql.billing_schema import billing_payments as billing_payments
from storage.sql.billing_schema import billing_promises as billing_promises
from storage.sql.billing_schema import billing_services as billing_services
from storage.sql.billing_schema import billing_subscribers as billing_subscribers
from storage.sql.console_schema import console_erasures as console_erasures
from storage.sql.console_schema import console_sessions as console_sessions
from storage.sql.conversation_schema import conversations as conversations
from storage.sql.link_schema import link_deliveries as link_deliveries
from storage.sql.link_schema import link_slots as link_slots
from storage.sql.outbox_schema import OUTBOX_FILLFACTOR as OUTBOX_FILLFACTOR
from storage.sql.outbox_schema import outbox as outbox
from storage.sql.pause_schema import outbox_pauses as outbox_pauses
from storage.sql.payment_schema import payment_events as payment_events
from storage.sql.payment_schema import payment_intents as payment_intents
from storage.sql.payment_schema import payment_promises as payment_promises
from storage.sql.purchase_schema import purchase_alerts as purchase_alerts
from storage.sql.purchase_schema import purchase_charges as purchase_charges
from storage.sql.purchase_schema import spend_policies as spend_policies
from storage.sql.types import UtcTime

preferences = Table(
    "preferences",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("subscription", String(128), primary_key=True),
    Column("language", String(16), nullable=False),
    Column("notify", String(8), nullable=False),
    Column("email", String(320), nullable=False),
    Column("email_validated", Boolean, nullable=False),
    Column("address", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("email_state", String(8), nullable=False, server_default=""),
    Index(None, "operator", "email"),
    Column("notify_number", String(32), nullable=False, server_default=""),
    Index(
        "ix_preferences_notify_number",
        "operator",
        "notify_number",
        postgresql_where=text("notify_number != ''"),
        sqlite_where=text("notify_number != ''"),
    ),
)

consents = Table(
    "consents",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("subscription", String(128), nullable=False),
    Column("what", String(64), nullable=False),
    Column("given", Boolean, nullable=False),
    Column("text", String(128), nullable=False),
    Column("language", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("proof", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "operator", "subscription", "id"),
)
"""Consent record, append-only: triggers refuse all but the erase path (`storage.sql.consent_triggers`)."""

registrations = Table(
    "registrations",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("by", String(32), primary_key=True),
    Column("line", String(32), primary_key=True),
    Column("subscription", String(128), nullable=False),
    Column("account", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "operator", "subscription"),
)
"""Lines registered for bills by e-mail, and the phone each was registered from."""

changes = Table(
    "changes",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("outcome", String(64), nullable=False),
    Column("reply", LargeBinary),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
)

links = Table(
    "links",
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("operator", String(64), nullable=False),
    Column("subscription", String(128), nullable=False),
    Column("value", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("opens", Integer, nullable=False),
    Column("language", String(16), nullable=False, server_default=""),
    CheckConstraint("opens >= 0", name="opens"),
    Index(None, "operator", "subscription"),
    Index(None, "expires_at"),
)
"""Magic links: `token` is a keyed hash; `opens`, the uses left, counts down. `language` is the message's."""

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("number", String(320), primary_key=True),
    Column("at", UtcTime, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("reference", String(32), primary_key=True),
    Column("subscription", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("bill", String(64), nullable=False),
    Column("line", String(64), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("bill_number", String(64), nullable=False, server_default=""),
    Column("number", String(32), nullable=False, server_default=""),
    Column("language", String(16), nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("state", String(16), nullable=False, server_default="open"),
    Column("answer", Text, nullable=False, server_default=""),
    Column("changed_at", UtcTime),
    Index(None, "operator", "subscription", "at"),
    Index(None, "operator", "state", "at"),
)
"""Support tickets: questions that an agent must answer; `number` is the phone that asked."""

codes = Table(
    "codes",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("purpose", String(32), primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index(None, "expires_at"),
)
"""One-time codes; `subject` is a keyed hash of operator and number, as in the next two tables."""

code_tries = Table(
    "code_tries",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("purpose", String(32), primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("wrong", Integer, nullable=False),
    Index(None, "since"),
)

code_sends = Table(
    "code_sends",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("times", Text, nullable=False),
    Index(None, "since"),
)
"""Send times of codes (rate limit): `times` are ISO instants, newest first; `since` is the newest."""

passwords = Table(
    "passwords",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("number", String(32), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("hash", String(255), nullable=False),
    Column("at", UtcTime, nullable=False),
)

password_tries = Table(
    "password_tries",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("number", String(32), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("wrong", Integer, nullable=False),
    Index(None, "since"),
)

key_checks = Table(
    "key_checks",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("sample", LargeBinary, nullable=False),
)
"""A known text encrypted under each purpose's key: a start with another `secret_key` finds out by it."""

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

Both write the same record, so the later transaction waits for the earlier and sees it: none is lost.
"""
