"""A billing system that makes the bills of a cycle up as they are read, for runs too large to store first."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from flows.domain.bill_cycle import CyclePage
from flows.domain.records import Bill, Subscriber

PAGE_SIZE = 2_000
"""Bills per page, as our own tables have."""


@dataclass(frozen=True, slots=True)
class StreamedCycle:
    """`BillingCycles` of so many bills, each of another line."""

    bills: int
    operator: str
    issued: date

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Yield the bills page by page, whichever days are asked for."""
        for start in range(0, self.bills, PAGE_SIZE):
            numbers = range(start, min(start + PAGE_SIZE, self.bills))
            yield CyclePage([self._bill_with_holder(number) for number in numbers], expected_bills=self.bills)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the line of an account."""
        return self._bill_with_holder(int(account))[1]

    def _bill_with_holder(self, number: int) -> tuple[Bill, Subscriber]:
        account, total = f"{number:08}", Decimal(2000 + number * 7919 % 30_000) / 100
        days: Mapping[str, Any] = {"issued": self.issued, "due": self.issued}
        amounts: Mapping[str, Any] = {"total": total, "tax": Decimal("1.00"), "remaining": total}
        bill = Bill(id=f"b{account}", number=f"b{account}", account=account, state="due", **days, **amounts)
        holder = Subscriber(
            id=f"s{account}",
            operator=self.operator,
            msisdn=f"+407{account}",
            account=account,
            name="Bench",
            kind="mobile",
            segment="residential",
            language="ro",
            since=date(2020, 1, 1),
        )
        return bill, holder
