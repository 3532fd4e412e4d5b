"""Migration 0016: add sessions and erasures of the support console, and find messages by recipient."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import UtcTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add two tables and an index; the previous release keeps working on this schema.

    Building the index reads the whole outbox: about ten seconds for ten million rows.
    """
    _create_sessions()
    _create_erasures()
    op.create_index("ix_outbox_recipient", "outbox", ["operator", "to", "id"])


def _create_sessions() -> None:
    op.create_table(
        "console_sessions",
        sa.Column("token", sa.LargeBinary(32), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("credential", sa.LargeBinary(32), nullable=False),
        sa.Column("seen_at", UtcTime, nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_console_sessions")),
    )
    op.create_index(op.f("ix_console_sessions_expires_at"), "console_sessions", ["expires_at"])


def _create_erasures() -> None:
    op.create_table(
        "console_erasures",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("operator", sa.String(64), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_at", UtcTime, nullable=False),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("changed_at", UtcTime, nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'approved', 'done', 'refused')", name=op.f("ck_console_erasures_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_erasures")),
    )
    columns = ["operator", "state", "requested_at"]
    op.create_index(op.f("ix_console_erasures_operator_state_requested_at"), "console_erasures", columns)
