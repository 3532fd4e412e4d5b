"""When the SIM of a line was last changed, for bills in our own tables: added, nothing changed."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a column that may be empty; a gateway of the release before goes on as it was."""
    op.add_column("billing_subscribers", sa.Column("sim_changed_at", UtcTime(), nullable=True))
