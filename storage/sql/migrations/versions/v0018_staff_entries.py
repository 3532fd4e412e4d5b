"""Migration 0018: find the audit entries of the console, so that an auditor can read what staff did."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add a partial index, empty until the console is used; the previous release keeps working."""
    of_staff = sa.text("channel = 'console'")
    op.create_index("ix_audit_console", "audit", ["id"], postgresql_where=of_staff, sqlite_where=of_staff)
