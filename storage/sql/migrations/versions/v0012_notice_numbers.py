"""Migration 0012: add the phone that gets a line's notices, where it is another than the line's own."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add a column with a default and an index; the previous release keeps working on this schema."""
    column = sa.Column("notify_number", sa.String(32), server_default="", nullable=False)
    op.add_column("preferences", column)
    given = sa.text("notify_number != ''")
    op.create_index(
        "ix_preferences_notify_number",
        "preferences",
        ["operator", "notify_number"],
        postgresql_where=given,
        sqlite_where=given,
    )
