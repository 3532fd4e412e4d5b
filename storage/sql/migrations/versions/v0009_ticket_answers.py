"""Migration 0009: add to tickets who asked, their state and the answer."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add columns with defaults and an index; the previous release keeps working on this schema."""
    texts = {"bill_number": sa.String(64), "number": sa.String(32), "language": sa.String(16)}
    texts |= {"detail": sa.Text(), "answer": sa.Text()}
    for name, kind in texts.items():
        op.add_column("tickets", sa.Column(name, kind, server_default="", nullable=False))
    op.add_column("tickets", sa.Column("state", sa.String(16), server_default="open", nullable=False))
    op.add_column("tickets", sa.Column("changed_at", UtcTime(), nullable=True))
    op.create_index(op.f("ix_tickets_operator_state_at"), "tickets", ["operator", "state", "at"])
