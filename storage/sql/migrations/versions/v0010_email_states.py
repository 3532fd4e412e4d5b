"""Migration 0010: add what became of the mails to a chosen address, and find who chose an address."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add a column with a default and an index; the previous release keeps working on this schema."""
    state = sa.Column("email_state", sa.String(length=8), nullable=False, server_default="")
    op.add_column("preferences", state)
    op.create_index(op.f("ix_preferences_operator_email"), "preferences", ["operator", "email"])
