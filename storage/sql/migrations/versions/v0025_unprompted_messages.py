"""Migration 0025: mark messages that nobody waits for, which quiet hours hold."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add a column with a default, which rewrites no row; the previous release keeps working."""
    op.add_column("outbox", sa.Column("is_unprompted", sa.Boolean(), nullable=False, server_default=sa.false()))
