"""Migration 0003: add the table of lines registered for bills by e-mail."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a table; the previous release keeps working on this schema."""
    op.create_table(
        "registrations",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("line", sa.String(length=32), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "by", "line", name=op.f("pk_registrations")),
    )
    columns = ["operator", "subscription"]
    op.create_index(op.f("ix_registrations_operator_subscription"), "registrations", columns)
