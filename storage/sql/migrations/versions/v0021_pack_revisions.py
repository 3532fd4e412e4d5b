"""Migration 0021: add pack drafts, pack revisions and their publications."""

import sqlalchemy as sa
from alembic import op

from storage.sql.base import ROW_ID
from storage.sql.types import UtcTime

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add three tables; processes of the previous release do not read them: they serve the folder's packs."""
    op.create_table(
        "pack_drafts",
        sa.Column("id", ROW_ID, nullable=False),
        *(sa.Column(name, sa.String(length=64), nullable=False) for name in ("operator", "author")),
        sa.Column("editors", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("base", "version")),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_drafts")),
    )
    op.create_index(op.f("ix_pack_drafts_operator_id"), "pack_drafts", ["operator", "id"])
    _create_revisions()
    op.create_table(
        "pack_publications",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("publisher", sa.String(length=64), nullable=False),
        *(sa.Column(name, UtcTime(), nullable=False) for name in ("created_at", "effective_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_publications")),
    )
    columns = ["operator", "effective_at", "id"]
    op.create_index(op.f("ix_pack_publications_operator_effective_at_id"), "pack_publications", columns)


def _create_revisions() -> None:
    op.create_table(
        "pack_revisions",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("editors", "message")),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("approver", sa.String(length=64), nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("checks", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=32), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'rejected')", name=op.f("ck_pack_revisions_state")
        ),
        sa.PrimaryKeyConstraint("operator", "number", name=op.f("pk_pack_revisions")),
    )
