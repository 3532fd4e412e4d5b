"""Migration 0013: add spending policies, charges of merchants, alerts, and keys taken by billing."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add four tables; the previous release keeps working on this schema."""
    _create_policies()
    _create_charges()
    _create_alerts()
    _create_taken_charges()


def _create_policies() -> None:
    op.create_table(
        "spend_policies",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("monthly_cap", ExactAmount(), nullable=False),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.Column("blocked", sa.Text(), nullable=False),
        sa.Column("blocked_merchants", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "subscription", name=op.f("pk_spend_policies")),
    )


def _create_charges() -> None:
    texts = {
        **{"id": 32, "operator": 64, "subscription": 128, "account": 64, "merchant": 64, "correlator": 256},
        **{"reference": 256, "category": 16, "label": 200, "currency": 3, "state": 24, "period": 7},
        "reason": 32,
    }
    op.create_table(
        "purchase_charges",
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in texts.items()),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("amount", ExactAmount(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.Column("reserved_until", UtcTime(), nullable=True),
        sa.Column("refunded", ExactAmount(), nullable=False),
        sa.Column("is_billed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending_validation', 'reserved', 'succeeded', 'cancelled', 'denied')",
            name=op.f("ck_purchase_charges_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_charges")),
        sa.UniqueConstraint(
            *("operator", "merchant", "correlator"),
            name=op.f("uq_purchase_charges_operator_merchant_correlator"),
        ),
    )
    for columns in (["operator", "subscription", "period"], ["operator", "merchant", "created_at"]):
        op.create_index(op.f(f"ix_purchase_charges_{'_'.join(columns)}"), "purchase_charges", columns)


def _create_alerts() -> None:
    op.create_table(
        "purchase_alerts",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("threshold", ExactAmount(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("operator", "subscription", "period", "threshold"), name=op.f("pk_purchase_alerts")
        ),
    )
    op.create_index(op.f("ix_purchase_alerts_at"), "purchase_alerts", ["at"])


def _create_taken_charges() -> None:
    op.create_table(
        "billing_charges",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "key", name=op.f("pk_billing_charges")),
    )
