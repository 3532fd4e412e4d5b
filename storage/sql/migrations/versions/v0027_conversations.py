"""Migration 0027: add the conversation history."""

import sqlalchemy as sa
from alembic import op

from storage.sql.base import ROW_ID

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add one table; the previous release keeps working on this schema."""
    op.create_table(
        "conversations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turns", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(
        op.f("ix_conversations_operator_actor_id"), "conversations", ["operator", "actor", "id"], unique=False
    )
    op.create_index(op.f("ix_conversations_expires_at"), "conversations", ["expires_at"], unique=False)
