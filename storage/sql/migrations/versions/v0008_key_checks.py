"""Migration 0008: add encrypted samples, by which a start finds that its secret key is another."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a table; the previous release keeps working on this schema."""
    op.create_table(
        "key_checks",
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("sample", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_key_checks")),
    )
