"""A payment under way, for tests to vary."""

from datetime import UTC, date, datetime
from decimal import Decimal

from flows.domain.payment_records import PaymentIntent

PAYMENT_INTENT = PaymentIntent(
    id="0123456789abcdef0123456789abcdef",
    operator="orange-fr",
    subscription="s-1",
    account="a-1",
    bill_id="b-1",
    bill_number="OFR-202603-0101",
    issued=date(2026, 3, 1),
    line="+33600000101",
    payer="+33600000101",
    language="fr",
    amount=Decimal("34.99"),
    currency="EUR",
    state="pending",
    created_at=datetime(2026, 3, 10, 9, tzinfo=UTC),
    changed_at=datetime(2026, 3, 10, 9, tzinfo=UTC),
    receipt="7QK42M9T",
    provider="payfake",
    reference="s-1",
)
