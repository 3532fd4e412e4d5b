"""Promises to pay: what a subscriber promised of a bill, until when, in how many parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Literal, Protocol, runtime_checkable

PromiseAnswer = Literal["ok", "refused", "one"]
"""What billing says to a promise; `one`: it has an open one of this account already."""


@dataclass(frozen=True, slots=True)
class PaymentPromise:
    """A promise to pay what remains of a bill; open until its last day is over."""

    id: str
    """32 hexadecimal digits, made of the request's idempotency key: billing takes an id once."""
    operator: str
    subscription: str
    account: str = field(repr=False)
    bill_id: str
    amount: Decimal
    """What remained of the bill when it was promised, tax included."""
    parts: int
    """1, or the number of instalments."""
    first_day: date
    """Last day to pay the first part."""
    last_day: date
    """Last day to pay all of it."""
    promised_at: datetime

    def is_open(self, today: date) -> bool:
        """Return whether the promise may still be kept."""
        return today <= self.last_day


def first_part(amount: Decimal, parts: int, unit: Decimal) -> Decimal:
    """Return the first of equal parts, a multiple of `unit`; the last part takes what rounding leaves."""
    return (amount / parts).quantize(unit, ROUND_DOWN)


@runtime_checkable
class PromiseBilling(Protocol):
    """Billing that takes promises to pay. Optional for a backend; its capability is `promises`."""

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """Record a promise, once per id; may be called again after an unknown outcome."""


class PaymentPromises(Protocol):
    """Store of the promises made through the gateway; `Ledger.commit` fills it."""

    async def list_promises(self, operator: str, account: str, since: datetime) -> Sequence[PaymentPromise]:
        """Return an account's promises made since then, newest first."""
