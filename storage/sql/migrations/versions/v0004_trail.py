"""Migration 0004: add audit trail, number owners, budgets and append-only triggers on consents."""

import sqlalchemy as sa
from alembic import op

from storage.sql.consent_triggers import POSTGRES_TRIGGERS, SQLITE_TRIGGERS
from storage.sql.types import UtcTime

revision = "0004"
down_revision = "0003"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add tables and triggers; the previous release keeps working on this schema."""
    _audit()
    _bindings()
    _budgets()
    for statement in POSTGRES_TRIGGERS if op.get_bind().dialect.name == "postgresql" else SQLITE_TRIGGERS:
        op.execute(statement)


def _audit() -> None:
    words = {"operator": 64, "actor": 32, "channel": 16, "action": 128}
    words |= {"object": 128, "outcome": 32, "correlation": 255}
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in words.items()),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_seq")),
    )
    op.create_index(op.f("ix_audit_operator_actor_id"), "audit", ["operator", "actor", "id"])
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    unsealed = sa.text("seq IS NULL")
    op.create_index("ix_audit_unsealed", "audit", ["id"], postgresql_where=unsealed, sqlite_where=unsealed)


def _bindings() -> None:
    op.create_table(
        "bindings",
        sa.Column("line", sa.LargeBinary(length=32), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_bindings")),
    )
    op.create_index(op.f("ix_bindings_operator_subscription"), "bindings", ["operator", "subscription"])


def _budgets() -> None:
    op.create_table(
        "code_budgets",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_code_budgets")),
    )
    op.create_index(op.f("ix_code_budgets_since"), "code_budgets", ["since"])
    op.create_table(
        "spends",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "route", "day", name=op.f("pk_spends")),
    )
