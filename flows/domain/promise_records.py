"""Promises to pay: what a subscriber promised of a bill, until when, in how many parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
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

    def list_instalments(self, unit: Decimal) -> tuple["Instalment", ...]:
        """Return its parts in order; `unit` is the currency's smallest amount."""
        return split_amount(self.amount, self.parts, self.first_day, self.last_day, unit)


@dataclass(frozen=True, slots=True)
class Instalment:
    """One part of what was promised."""

    number: int
    """Counted from 1."""
    due: date
    """Last day to pay it."""
    amount: Decimal
    later: Decimal
    """What the parts after it come to."""

    def amount_left(self, remaining: Decimal) -> Decimal:
        """Return what is to be paid by its day of a bill of which so much remains; 0 or less for nothing.

        Parts before it that were missed are in it.
        """
        return remaining - self.later


def split_amount(
    amount: Decimal, parts: int, first_day: date, last_day: date, unit: Decimal
) -> tuple[Instalment, ...]:
    """Return the parts of an amount, their days equally far apart; `unit` is the smallest amount."""
    part, days = first_part(amount, parts, unit), (last_day - first_day).days
    amounts = [*[part] * (parts - 1), amount - part * (parts - 1)]
    return tuple(
        Instalment(
            number=index + 1,
            due=first_day + timedelta(days=days * index // max(1, parts - 1)),
            amount=each,
            later=sum(amounts[index + 1 :], Decimal(0)),
        )
        for index, each in enumerate(amounts)
    )


def first_part(amount: Decimal, parts: int, unit: Decimal) -> Decimal:
    """Return the first of equal parts, a multiple of `unit`; the last part takes what rounding leaves."""
    return (amount / parts).quantize(unit, ROUND_DOWN)


@runtime_checkable
class PromiseBilling(Protocol):
    """Billing that takes promises to pay. Optional for a backend; its capability is `promises`."""

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """Record a promise, once per id; may be called again after an unknown outcome."""

    async def has_promise(self, promise: PaymentPromise) -> bool:
        """Return whether billing still has a promise it has recorded; False once it was ended there."""


class PaymentPromises(Protocol):
    """Store of the promises made through the gateway; `Ledger.commit` fills it."""

    async def list_promises(self, operator: str, account: str, since: datetime) -> Sequence[PaymentPromise]:
        """Return an account's promises made since then, newest first."""

    async def list_plans(
        self, operator: str, last_day: date, after: str, limit: int
    ) -> Sequence[PaymentPromise]:
        """Return promises in parts that end on `last_day` or later, by id, those behind the id `after`."""
