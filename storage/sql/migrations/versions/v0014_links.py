"""Migration 0014: add the slots of links, and the messages that may be delivered again."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add two tables; the previous release keeps working on this schema."""
    op.create_table(
        "link_slots",
        sa.Column("operator", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "provider", "slot", name=op.f("pk_link_slots")),
    )
    op.create_table(
        "link_deliveries",
        sa.Column("operator", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("delivery", sa.String(64), nullable=False),
        sa.Column("era", sa.String(64), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "provider", "fingerprint", name=op.f("pk_link_deliveries")),
    )
    op.create_index(op.f("ix_link_deliveries_at"), "link_deliveries", ["at"])
