"""Migration 0019: add direct debit mandates of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add one table; the previous release keeps working on this schema."""
    op.create_table(
        "billing_debits",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("account_end", sa.String(length=4), server_default="", nullable=False),
        sa.Column("collects_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("operator", "account", name=op.f("pk_billing_debits")),
    )
