"""Migration 0030: find the conversations of a channel by their time, to count screens."""

from alembic import op

revision = "0030"
down_revision = "0029"
COLUMNS = ["operator", "channel", "started_at", "conversation"]


def upgrade() -> None:
    """Add an index; the previous release keeps working, its inserts keep the index up to date."""
    op.create_index(op.f("ix_conversations_operator_channel_started_at_conversation"), "conversations", COLUMNS)
