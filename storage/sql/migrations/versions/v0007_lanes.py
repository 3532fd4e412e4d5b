"""Migration 0007: index due outbox rows by operator and route, so that a claim skips saturated routes."""

import sqlalchemy as sa
from alembic import op

from storage.sql.tables import OUTBOX_FILLFACTOR

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Replace an index; the previous release keeps working, but its claims read all waiting rows."""
    waits = sa.text("due_at IS NOT NULL")
    columns = ["priority", "operator", "route", "due_at", "id"]
    op.create_index("ix_outbox_lanes", "outbox", columns, postgresql_where=waits, sqlite_where=waits)
    op.drop_index("ix_outbox_due", "outbox")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox SET (fillfactor = {OUTBOX_FILLFACTOR})")
