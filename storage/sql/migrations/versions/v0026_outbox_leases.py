"""Migration 0026: add what waits in the outbox, the leases of workers, and a column of failed rows."""

import sqlalchemy as sa
from alembic import op

from storage.sql.outbox_schema import OUTBOX_FILLFACTOR
from storage.sql.types import UtcTime

revision = "0026"
down_revision = "0025"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add two tables, a column and its index; the previous release keeps working on this schema.

    What its processes enqueue, and what waits now, workers of this release move over as they meet it. What they
    enqueue themselves the previous release does not see: its workers find less and less to do.
    """
    _create_due_table()
    _create_lease_table()
    op.add_column("outbox", sa.Column("failed_state", sa.String(length=16), nullable=True))
    op.execute("UPDATE outbox SET failed_state = state WHERE state IN ('dead', 'failed', 'unknown')")
    op.drop_index("ix_outbox_looked_at", "outbox")
    failed = sa.text("failed_state IS NOT NULL")
    op.create_index(
        "ix_outbox_failed", "outbox", ["failed_state", "id"], postgresql_where=failed, sqlite_where=failed
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox SET (fillfactor = {OUTBOX_FILLFACTOR})")


def _create_due_table() -> None:
    op.create_table(
        "outbox_due",
        sa.Column("row", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=8), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_outbox_due")),
    )
    op.create_index("ix_outbox_due_lanes", "outbox_due", ["priority", "operator", "route", "due_at", "row"])


def _create_lease_table() -> None:
    op.create_table(
        "outbox_leases",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.Column("unsent", sa.Text(), nullable=False),
        sa.Column("sending", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_leases")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_leases_until"), "outbox_leases", ["until"])
