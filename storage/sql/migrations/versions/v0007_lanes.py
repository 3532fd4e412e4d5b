"""What is due in the outbox by operator and route: a claim leaves alone what could not go out anyway."""

import sqlalchemy as sa
from alembic import op

from storage.sql.schema import OUTBOX_FILL

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Swap one index for another: a gateway of the release before goes on, but reads all that waits."""
    waits = sa.text("due_at IS NOT NULL")
    columns = ["priority", "operator", "route", "due_at", "id"]
    op.create_index("ix_outbox_lanes", "outbox", columns, postgresql_where=waits, sqlite_where=waits)
    op.drop_index("ix_outbox_due", "outbox")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox SET (fillfactor = {OUTBOX_FILL})")
