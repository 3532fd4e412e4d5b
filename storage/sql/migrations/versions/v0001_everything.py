"""Migration 0001: create the first schema."""

import sqlalchemy as sa
from alembic import op

from storage.sql.types import ExactAmount, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "billing_bills",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("issued", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("total", ExactAmount, nullable=False),
        sa.Column("tax", ExactAmount, nullable=False),
        sa.Column("remaining", ExactAmount, nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "id", name=op.f("pk_billing_bills")),
    )
    op.create_index(
        op.f("ix_billing_bills_operator_account_issued"), "billing_bills", ["operator", "account", "issued"]
    )
    op.create_table(
        "billing_subscribers",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("msisdn", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("segment", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("email", sa.String(length=320), server_default="", nullable=False),
        sa.Column("email_validated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("media", sa.String(length=8), nullable=False),
        sa.CheckConstraint("media IN ('paper', 'email')", name=op.f("ck_billing_subscribers_media")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_subscribers")),
        sa.UniqueConstraint("operator", "msisdn", name=op.f("uq_billing_subscribers_operator_msisdn")),
    )
    op.create_index(
        op.f("ix_billing_subscribers_operator_account"), "billing_subscribers", ["operator", "account"]
    )
    op.create_table(
        "changes",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_at"), "changes", ["at"])
    op.create_table(
        "code_sends",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("times", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_code_sends")),
    )
    op.create_index(op.f("ix_code_sends_since"), "code_sends", ["since"])
    op.create_table(
        "code_tries",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "purpose", name=op.f("pk_code_tries")),
    )
    op.create_index(op.f("ix_code_tries_since"), "code_tries", ["since"])
    op.create_table(
        "codes",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("subject", "purpose", name=op.f("pk_codes")),
    )
    op.create_index(op.f("ix_codes_expires_at"), "codes", ["expires_at"])
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(length=128), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("proof", sa.String(length=64), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(
        op.f("ix_consents_operator_subscription_id"), "consents", ["operator", "subscription", "id"]
    )
    op.create_table(
        "links",
        sa.Column("token", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.Column("opens", sa.Integer(), nullable=False),
        sa.CheckConstraint("opens >= 0", name=op.f("ck_links_opens")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_expires_at"), "links", ["expires_at"])
    op.create_index(op.f("ix_links_operator_subscription"), "links", ["operator", "subscription"])
    op.create_table(
        "opt_outs",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=320), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "number", name=op.f("pk_opt_outs")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("form", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("to", sa.String(length=320), nullable=False),
        sa.Column("route", sa.String(length=8), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", UtcTime, nullable=True),
        sa.Column("expires_at", UtcTime, nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("changed_at", UtcTime, nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'claimed', 'again', 'unknown', 'sent',"
            " 'delivered', 'failed', 'dead', 'expired', 'opted_out')",
            name=op.f("ck_outbox_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["priority", "due_at", "id"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_looked_at",
        "outbox",
        ["state", "id"],
        sqlite_where=sa.text("state IN ('dead', 'failed', 'unknown')"),
        postgresql_where=sa.text("state IN ('dead', 'failed', 'unknown')"),
    )
    op.create_table(
        "password_tries",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("operator", "number", "kind", name=op.f("pk_password_tries")),
    )
    op.create_index(op.f("ix_password_tries_since"), "password_tries", ["since"])
    op.create_table(
        "passwords",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.String(length=255), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "number", "kind", name=op.f("pk_passwords")),
    )
    op.create_table(
        "preferences",
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("subscription", sa.String(length=128), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("notify", sa.String(length=8), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("email_validated", sa.Boolean(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("operator", "subscription", name=op.f("pk_preferences")),
    )
    op.create_table(
        "receipts",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=160), nullable=False),
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("provider", "message_id", name=op.f("pk_receipts")),
    )
    op.create_index(
        "ix_receipts_spoken",
        "receipts",
        ["row"],
        sqlite_where=sa.text("state IS NOT NULL"),
        postgresql_where=sa.text("state IS NOT NULL"),
    )
    op.create_table(
        "billing_lines",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("bill", sa.String(length=64), nullable=False),
        sa.Column("rubric", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("amount", ExactAmount, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator", "bill"],
            ["billing_bills.operator", "billing_bills.id"],
            name=op.f("fk_billing_lines_operator_bill"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_lines")),
    )
    op.create_index(op.f("ix_billing_lines_operator_bill_id"), "billing_lines", ["operator", "bill", "id"])
