"""Migration 0011: add payment intents, provider events, and the payments booked in the built-in billing."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add three tables; the previous release keeps working on this schema."""
    _create_intents()
    _create_events()
    _create_bookings()


def _create_intents() -> None:
    op.create_table(
        "payment_intents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("bill", sa.String(length=64), nullable=False),
        sa.Column("bill_number", sa.String(length=64), nullable=False),
        sa.Column("issued", sa.Date(), nullable=False),
        sa.Column("people", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("amount", ExactAmount(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("receipt", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("page_url", sa.Text(), nullable=False),
        sa.Column("page_expires_at", UtcTime(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('confirmed', 'pending', 'unknown', 'succeeded', 'booking', 'booked',"
            " 'refunding', 'refunded', 'failed', 'expired')",
            name=op.f("ck_payment_intents_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_intents")),
    )
    for columns in (
        ["operator", "account", "bill", "created_at"],
        ["operator", "subscription"],
        ["operator", "created_at"],
    ):
        op.create_index(op.f(f"ix_payment_intents_{'_'.join(columns)}"), "payment_intents", columns)
    for name, condition in (("open", "state IN ('confirmed', 'pending')"), ("booking", "state = 'booking'")):
        op.create_index(
            f"uq_payment_intents_{name}",
            "payment_intents",
            ["operator", "account", "bill"],
            unique=True,
            postgresql_where=sa.text(condition),
            sqlite_where=sa.text(condition),
        )


def _create_events() -> None:
    op.create_table(
        "payment_events",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=160), nullable=False),
        sa.Column("intent", sa.String(length=32), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "provider", "event", name=op.f("pk_payment_events")),
    )
    op.create_index(op.f("ix_payment_events_at"), "payment_events", ["at"])


def _create_bookings() -> None:
    op.create_table(
        "billing_payments",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("bill", sa.String(length=64), nullable=False),
        sa.Column("amount", ExactAmount(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "key", name=op.f("pk_billing_payments")),
    )
    columns = ["operator", "account", "at"]
    op.create_index(op.f("ix_billing_payments_operator_account_at"), "billing_payments", columns)
