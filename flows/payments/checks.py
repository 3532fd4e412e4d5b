"""Payment state rules: the steps there are, and what must match before a report of money is believed."""

from collections.abc import Mapping

from flows.domain.payment_records import PaymentIntent, PaymentReport, PaymentState

NO_MONEY_SEEN: tuple[PaymentState, ...] = ("confirmed", "pending", "unknown", "failed", "expired")
"""States that a success leads out of, however late it comes: the money has moved."""
WAITING: tuple[PaymentState, ...] = ("confirmed", "pending")
"""States that a refusal or an expiry leads out of."""
STILL_PENDING = "pending"
"""Reason of a payment whose wallet has given no final answer for a day; it stays pending until there is one."""
REFUND_REFUSED = "refund_refused"
"""Reason of a payment that the provider does not give back: a person does, in its account."""
DECIDED: tuple[PaymentState, ...] = ("succeeded", "booking", "booked", "refunding", "refunded")
"""States in which the provider is not asked any more."""
FORWARD: Mapping[PaymentState, frozenset[PaymentState]] = {
    "confirmed": frozenset({"pending", "succeeded", "unknown", "failed", "expired"}),
    "pending": frozenset({"succeeded", "unknown", "failed", "expired"}),
    "unknown": frozenset({"succeeded", "refunding", "booked", "refunded"}),
    "failed": frozenset({"succeeded", "unknown"}),
    "expired": frozenset({"succeeded", "unknown"}),
    "succeeded": frozenset({"booking"}),
    "booking": frozenset({"booked", "refunding", "unknown"}),
    "refunding": frozenset({"refunded"}),
    "booked": frozenset(),
    "refunded": frozenset(),
}
"""The steps there are; `booked` and `refunded` are final, and from `unknown` only people lead there.

Of an `unknown` in which no money was seen they may say that none moved (`flows/payments/resolution.py`).
"""


def find_mismatch(intent: PaymentIntent, report: PaymentReport) -> str:
    """Return what of a paid report is not as agreed: `intent`, `test`, `currency`, `amount`; else empty."""
    if report.intent_id != intent.id or (intent.reference and report.reference != intent.reference):
        return "intent"
    if report.is_test:
        return "test"
    if report.currency.upper() != intent.currency.upper():
        return "currency"
    return "" if report.amount == intent.amount else "amount"
