"""Migration 0031: add the pages of the audit chain, and what an upgraded database turns on later."""

import sqlalchemy as sa
from alembic import op

from storage.sql.base import ROW_ID
from storage.sql.types import UtcTime

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add two tables; they are not used before `dialtree db finish`, but in databases made by this release."""
    op.create_table(
        "database_features",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("enabled_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_database_features")),
    )
    op.create_table(
        "audit_pages",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("line_ids", sa.Text(), nullable=False),
        sa.Column("newest_at", UtcTime(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_id", ROW_ID, nullable=False),
        sa.Column("floor_id", ROW_ID, nullable=False),
        sa.Column("missing_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_pages")),
    )
    op.create_index(op.f("ix_audit_pages_newest_at"), "audit_pages", ["newest_at"])
