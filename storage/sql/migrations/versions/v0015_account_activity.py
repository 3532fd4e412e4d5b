"""Migration 0015: add allowances and services of accounts, and the line and centre of usage records."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add two tables and two columns with a default; the previous release keeps working on this schema."""
    for name in ("user", "centre"):
        column = sa.Column(name, sa.String(length=64), server_default="", nullable=False)
        op.add_column("billing_entries", column)
    _create_allowances()
    _create_services()


def _create_allowances() -> None:
    lengths = {"operator": 64, "account": 64, "user": 64, "kind": 16}
    op.create_table(
        "billing_allowances",
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in lengths.items()),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=True),
        sa.Column("renews_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint(*lengths, name=op.f("pk_billing_allowances")),
    )


def _create_services() -> None:
    op.create_table(
        "billing_services",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("user", sa.String(length=64), server_default="", nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_services")),
    )
    op.create_index(op.f("ix_billing_services_operator_account"), "billing_services", ["operator", "account"])
