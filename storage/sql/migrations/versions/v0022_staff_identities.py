"""Migration 0022: add names and sessions of staff who sign in at an identity provider."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add a table and three columns without values; the previous release keeps working on this schema."""
    op.create_table(
        "console_identities",
        sa.Column("subject", sa.LargeBinary(32), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_console_identities")),
        sa.UniqueConstraint("username", name=op.f("uq_console_identities_username")),
    )
    for name in ("subject", "provider_session"):
        op.add_column("console_sessions", sa.Column(name, sa.LargeBinary(32), nullable=True))
    op.add_column("console_sessions", sa.Column("member_of", sa.Text(), nullable=True))
