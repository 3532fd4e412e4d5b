"""Migration 0029: remember the language of the message that a link was sent in."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add one column with a default; the previous release keeps working on this schema."""
    op.add_column("links", sa.Column("language", sa.String(length=16), nullable=False, server_default=""))
