"""Migration 0020: add promises to pay, those made through the gateway and those of the billing tables."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add two tables; the previous release keeps working on this schema."""
    _create_promises("billing_promises", {"operator": 64, "key": 64}, ["operator", "account", "last_day"])
    _create_promises(
        "payment_promises",
        {"id": 32},
        ["operator", "account", "promised_at"],
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("promised_at", UtcTime(), nullable=False),
    )
    op.create_index(
        op.f("ix_payment_promises_operator_subscription"), "payment_promises", ["operator", "subscription"]
    )


def _create_promises(name: str, keys: dict[str, int], indexed: list[str], *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        *(sa.Column(key, sa.String(length=length), nullable=False) for key, length in keys.items()),
        *more,
        *(sa.Column(each, sa.String(length=64), nullable=False) for each in ("account", "bill")),
        sa.Column("amount", ExactAmount(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_{'_'.join(indexed)}"), name, indexed)
