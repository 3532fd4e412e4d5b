"""Billing cycle pages: the bills of a billing day with their holders, and the ones that were left out."""

from collections.abc import Iterable
from dataclasses import dataclass

from flows.domain.records import Bill, Subscriber


@dataclass(frozen=True, slots=True)
class RejectedBill:
    """A bill left out of a billing cycle, because its record or its holder's cannot be used."""

    bill_id: str
    """The backend's id of the bill; empty when it gave none."""
    reason: str
    """What cannot be used, by the field's name; never a value."""


class CyclePage(list[tuple[Bill, Subscriber]]):
    """One page of a billing cycle: usable bills with their holders, and what was left out of it."""

    def __init__(
        self,
        pairs: Iterable[tuple[Bill, Subscriber]] = (),
        rejected: Iterable[RejectedBill] = (),
        without_holder: int = 0,
        expected_bills: int | None = None,
    ) -> None:
        super().__init__(pairs)
        self.expected_bills = expected_bills
        """Bills of the whole cycle, as the backend counts them; None where it does not say."""
        self.rejected = tuple(rejected)
        self.without_holder = without_holder
        """Bills of accounts that have no current line."""
