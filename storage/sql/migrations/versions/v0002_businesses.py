"""Migration 0002: add billing centres, prorata, usage, purchases, certified documents, tickets."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0002"
down_revision = "0001"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables; the previous release keeps working on this schema."""
    siret = sa.Column("siret", sa.String(length=14), server_default="", nullable=False)
    op.add_column("billing_subscribers", siret)
    _lines()
    _entries()
    _documents()
    _tickets()


def _lines() -> None:
    for name, length in (("label", 200), ("centre", 64)):
        text = sa.Column(name, sa.String(length=length), server_default="", nullable=False)
        op.add_column("billing_lines", text)
    for name in ("days", "of_days"):
        op.add_column("billing_lines", sa.Column(name, sa.Integer(), server_default="0", nullable=False))


def _entries() -> None:
    op.create_table(
        "billing_entries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("amount", ExactAmount, nullable=False),
        sa.Column("label", sa.String(length=200), server_default="", nullable=False),
        sa.Column("quantity", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_entries")),
    )
    columns = ["operator", "account", "what", "at"]
    op.create_index(op.f("ix_billing_entries_operator_account_what_at"), "billing_entries", columns)


def _documents() -> None:
    op.create_table(
        "billing_documents",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("bill", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("platform", sa.String(length=200), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["operator", "bill"],
            ["billing_bills.operator", "billing_bills.id"],
            name=op.f("fk_billing_documents_operator_bill"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("operator", "bill", name=op.f("pk_billing_documents")),
    )


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bill", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "reference", name=op.f("pk_tickets")),
    )
    columns = ["operator", "subscription", "at"]
    op.create_index(op.f("ix_tickets_operator_subscription_at"), "tickets", columns)
