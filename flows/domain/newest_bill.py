"""Newest bill read with the subscriber: one request instead of two, for backends that can."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from flows.domain.ports import Billing
from flows.domain.records import Bill, Subscriber


@runtime_checkable
class NewestBillReads(Protocol):
    """Optional for a backend: one where the subscriber and the newest bill are one request."""

    async def get_subscriber_and_bill(self, msisdn: str) -> tuple[Subscriber, Sequence[Bill] | None]:
        """Return the subscriber of a number, and what `list_bills` returns of the account with a limit of 1.

        None in place of the bills where they cannot be read, as `list_bills` then says. NotFound without a
        subscriber.
        """


async def read_subscriber_and_bill(billing: Billing, number: str) -> tuple[Subscriber, Sequence[Bill] | None]:
    """Return a number's subscriber, and the newest bill where that is no second request; else None."""
    if isinstance(billing, NewestBillReads):
        return await billing.get_subscriber_and_bill(number)
    return await billing.get_subscriber(number), None
