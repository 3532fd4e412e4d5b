"""Migration 0033: add what staff did by hand about payments that the gateway could not decide."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Add a table; the previous release keeps working on this schema."""
    op.create_table(
        "payment_resolutions",
        sa.Column("intent", sa.String(length=32), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("amount", ExactAmount(), nullable=False),
        sa.Column("staff", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=255), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('refunded', 'booked', 'failed')", name=op.f("ck_payment_resolutions_state")
        ),
        sa.PrimaryKeyConstraint("intent", name=op.f("pk_payment_resolutions")),
    )
    op.create_index(op.f("ix_payment_resolutions_at"), "payment_resolutions", ["at"])
