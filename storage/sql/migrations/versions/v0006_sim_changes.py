"""Migration 0006: add the time of the last SIM change to the built-in billing tables."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a nullable column; the previous release keeps working on this schema."""
    op.add_column("billing_subscribers", sa.Column("sim_changed_at", UtcTime(), nullable=True))
