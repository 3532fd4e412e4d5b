"""Migration 0017: add the table of paused lanes of the outbox."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add one table; workers of the previous release do not read it: a pause holds once all are of this one."""
    lengths = {"operator": 64, "kind": 16, "route": 8}
    op.create_table(
        "outbox_pauses",
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in lengths.items()),
        sa.Column("since", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint(*lengths, name=op.f("pk_outbox_pauses")),
    )
