"""Migration 0024: add where a merchant wants to be told of a charge."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add a column; the previous release keeps working on this schema."""
    op.add_column("purchase_charges", sa.Column("sink", sa.LargeBinary(), nullable=True))
