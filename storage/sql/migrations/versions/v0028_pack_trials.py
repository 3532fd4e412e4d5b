"""Migration 0028: add trials of pack revisions and what is counted of them."""

import sqlalchemy as sa
from alembic import op

from storage.sql.base import ROW_ID
from storage.sql.types import UtcTime

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add two tables; processes of the previous release do not read them: they serve what is published."""
    _create_trials()
    op.create_table(
        "pack_trial_counts",
        sa.Column("trial_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=128), nullable=False),
        sa.Column("conversations", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "side", "outcome", name=op.f("pk_pack_trial_counts")),
    )


def _create_trials() -> None:
    op.create_table(
        "pack_trials",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("number", "share_percent")),
        sa.Column("beginner", sa.String(length=64), nullable=False),
        sa.Column("publication_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("approver", sa.String(length=64), nullable=False),
        sa.Column("approved_at", UtcTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.CheckConstraint("share_percent BETWEEN 1 AND 50", name=op.f("ck_pack_trials_share")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_trials")),
    )
    op.create_index(op.f("ix_pack_trials_operator_id"), "pack_trials", ["operator", "id"], unique=False)
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_pack_trials_open",
        "pack_trials",
        ["operator"],
        unique=True,
        postgresql_where=is_open,
        sqlite_where=is_open,
    )
