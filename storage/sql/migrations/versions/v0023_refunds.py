"""Migration 0023: add refunds of charges."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the table; the previous release keeps working on this schema."""
    texts = {"operator": 64, "charge_id": 32, "merchant": 64, "correlator": 256, "reference": 256, "type": 8}
    op.create_table(
        "purchase_refunds",
        sa.Column("id", sa.String(length=32), nullable=False),
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in texts.items()),
        sa.Column("amount", ExactAmount(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("is_billed", sa.Boolean(), nullable=False),
        sa.CheckConstraint("type IN ('total', 'partial')", name=op.f("ck_purchase_refunds_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_refunds")),
        sa.UniqueConstraint(
            *("operator", "merchant", "correlator"),
            name=op.f("uq_purchase_refunds_operator_merchant_correlator"),
        ),
    )
    op.create_index(
        op.f("ix_purchase_refunds_operator_charge_id"), "purchase_refunds", ["operator", "charge_id"]
    )
