"""Migration 0032: a column of the outbox for leases, which no index contains."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Add a column; it stays NULL until `dialtree db finish`, but in databases made by this release."""
    op.add_column("outbox", sa.Column("leased_until", UtcTime(), nullable=True))
