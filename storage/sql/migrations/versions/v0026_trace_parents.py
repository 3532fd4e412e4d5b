"""Migration 0026: keep the trace context of the turn that caused a message."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add a nullable column, which rewrites no row; the previous release ignores it and writes none."""
    op.add_column("outbox", sa.Column("trace_parent", sa.String(55)))
