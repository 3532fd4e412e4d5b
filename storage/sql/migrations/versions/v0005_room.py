"""Migration 0005 (PostgreSQL only): fillfactor of the outbox, BRIN index on the audit trail."""

from alembic import op

from storage.sql.tables import OUTBOX_FILLFACTOR

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change the physical layout only; the previous release keeps working on this schema."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(f"ALTER TABLE outbox SET (fillfactor = {OUTBOX_FILLFACTOR})")
    op.drop_index(op.f("ix_audit_at"), "audit")
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], postgresql_using="brin")
