"""Limit of a bill run's messages: what a cycle can make at most, and an outbox that takes no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from flows.domain.failures import Failure
from flows.domain.ports import BillingCycles
from flows.domain.records import OutboundMessage, Preference
from flows.services.bill_notices import MAX_NOTICES_PER_BILL
from gateway.delivery.bill_rehearsal import BulkNotices


async def count_most_notices(cycles: BillingCycles, first: date, last: date) -> int | None:
    """Return how many notices a cycle makes at most, by its first page; None where billing does not count."""
    page = await anext(cycles.list_issued_bills(first, last), None)
    if page is None:
        return 0
    return None if page.expected_bills is None else page.expected_bills * MAX_NOTICES_PER_BILL


@dataclass(slots=True)
class LimitedNotices:
    """Passes the notices of a bill run on to the outbox, up to as many as are permitted.

    Billing counted the bills, and may list more than it counted.
    """

    outbox: BulkNotices = field(repr=False)
    permitted: int
    given: int = 0
    """Notices passed on, new or not."""

    async def load_preferences(self, operator: str, subscriptions: Sequence[str]) -> Mapping[str, Preference]:
        """Return the preferences of subscriptions by id."""
        return await self.outbox.load_preferences(operator, subscriptions)

    async def enqueue_notices(self, operator: str, notices: Sequence[OutboundMessage], at: datetime) -> int:
        """Enqueue the notices and return how many are new; Failure when there are more than permitted."""
        self.given += len(notices)
        if self.given > self.permitted:
            raise Failure(f"billing lists more bills than it counted: over {self.permitted} messages.")
        return await self.outbox.enqueue_notices(operator, notices, at)
