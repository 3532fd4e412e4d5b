"""SQL schema of the built-in billing tables, for the demo, small operators and the tests."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from storage.sql.base import ROW_ID, metadata
from storage.sql.types import ExactAmount, UtcTime

billing_subscribers = Table(
    "billing_subscribers",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("msisdn", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("segment", String(16), nullable=False),
    Column("language", String(16), nullable=False),
    Column("since", Date, nullable=False),
    Column("email", String(320), nullable=False, server_default=""),
    Column("email_validated", Boolean, nullable=False, server_default=false()),
    Column("address", Text, nullable=False, server_default=""),
    Column("media", String(8), nullable=False),
    Column("siret", String(14), nullable=False, server_default=""),
    Column("sim_changed_at", UtcTime),
    UniqueConstraint("operator", "msisdn"),
    Index(None, "operator", "account"),
    CheckConstraint("media IN ('paper', 'email')", name="media"),
)

billing_bills = Table(
    "billing_bills",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("number", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("issued", Date, nullable=False),
    Column("due", Date, nullable=False),
    Column("total", ExactAmount, nullable=False),
    Column("tax", ExactAmount, nullable=False),
    Column("remaining", ExactAmount, nullable=False),
    Column("cancelled", Boolean, nullable=False, server_default=false()),
    Index(None, "operator", "account", "issued"),
)

billing_lines = Table(
    "billing_lines",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("bill", String(64), nullable=False),
    Column("rubric", String(64), nullable=False),
    Column("user", String(64), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("label", String(200), nullable=False, server_default=""),
    Column("centre", String(64), nullable=False, server_default=""),
    Column("days", Integer, nullable=False, server_default="0"),
    Column("of_days", Integer, nullable=False, server_default="0"),
    ForeignKeyConstraint(
        ["operator", "bill"], ["billing_bills.operator", "billing_bills.id"], ondelete="CASCADE"
    ),
    Index(None, "operator", "bill", "id"),
)

billing_entries = Table(
    "billing_entries",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("what", String(16), nullable=False),
    Column("at", Date, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("label", String(200), nullable=False, server_default=""),
    Column("quantity", Integer, nullable=False, server_default="0"),
    Column("user", String(64), nullable=False, server_default=""),
    Column("centre", String(64), nullable=False, server_default=""),
    Index(None, "operator", "account", "what", "at"),
)
"""Usage records and purchases on the bill: `what` is `usage` or `purchases`."""

billing_documents = Table(
    "billing_documents",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("bill", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("format", String(32), nullable=False),
    Column("platform", String(200), nullable=False, server_default=""),
    ForeignKeyConstraint(
        ["operator", "bill"], ["billing_bills.operator", "billing_bills.id"], ondelete="CASCADE"
    ),
)
"""Bill documents as the issuer delivered them; they are never modified."""

billing_charges = Table(
    "billing_charges",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("at", Date, nullable=False),
)
"""Keys of the charges of merchants taken over: each once, in the transaction that writes its entry."""

billing_payments = Table(
    "billing_payments",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("bill", String(64), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("provider", String(32), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "operator", "account", "at"),
)
"""Payments booked: each key once, in the transaction that lowers what remains of the bill."""

billing_allowances = Table(
    "billing_allowances",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("user", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("used", Integer, nullable=False),
    Column("granted", Integer),
    Column("renews_on", Date),
)
"""What a line has used in the current period: minutes (`call`), megabytes (`data`) or messages (`text`).

`granted` is NULL where there is no limit.
"""

billing_debits = Table(
    "billing_debits",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("reference", String(64), nullable=False),
    Column("account_end", String(4), nullable=False, server_default=""),
    Column("collects_on", Date),
)
"""Direct debit mandates in force: reference, last digits of the bank account, day of the next collection."""

billing_promises = Table(
    "billing_promises",
    metadata,
    Column("operator", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("bill", String(64), nullable=False),
    Column("amount", ExactAmount, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Index(None, "operator", "account", "last_day"),
)
"""Promises to pay that this billing has taken: each key once, one open for an account."""

billing_services = Table(
    "billing_services",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("user", String(64), nullable=False, server_default=""),
    Column("since", Date),
    Column("until", Date),
    Index(None, "operator", "account"),
)
"""Plans and options that lines subscribe to; `until` is the last day of one that ends."""
