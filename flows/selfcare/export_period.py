"""Period of an export: the months whose bills it holds (B4)."""

from dataclasses import dataclass
from datetime import date

from flows.domain.ports import Billing
from flows.domain.records import Bill
from flows.selfcare.invoice import add_months
from menus.text.input_parsing import parse_month

PAGE_SIZE = 50
MAX_BILLS = 600
"""Most bills read to find those of a period: two years with more than twenty documents a month."""


@dataclass(frozen=True, slots=True)
class ExportPeriod:
    """First and last month of an export as (year, month), both within it."""

    first: tuple[int, int]
    last: tuple[int, int]

    @property
    def name(self) -> str:
        """The period as a part of a file name: `2026-01-2026-03`."""
        return "-".join(f"{year}-{month:02}" for year, month in (self.first, self.last))

    def contains(self, bill: Bill) -> bool:
        """Return whether a bill was issued in the period."""
        return self.contains_day(bill.issued)

    def contains_day(self, day: date) -> bool:
        """Return whether a day is in the period."""
        return self.first <= (day.year, day.month) <= self.last


def parse_period(first: str, last: str, today: date) -> ExportPeriod | None:
    """Parse two months as subscribers type them; an empty one is the other's. ValueError for no period.

    None when both are empty.
    """
    typed = first.strip() or last.strip(), last.strip() or first.strip()
    if not any(typed):
        return None
    months = [parse_month(text, today) for text in typed]
    begins, ends = ((month.year, month.month) if month else (0, 0) for month in months)
    if not (0, 0) < begins <= ends:
        raise ValueError("not two months in order")
    return ExportPeriod(begins, ends)


async def find_bills(
    billing: Billing, newest: Bill, period: ExportPeriod | None, document_months: int, today: date
) -> list[Bill]:
    """Return the bills of a period, oldest first: none newer than `newest`, none past their retention.

    Without a period only `newest`.
    """
    if period is None:
        return [newest]
    found: list[Bill] = []
    for offset in range(0, MAX_BILLS, PAGE_SIZE):
        page = await billing.list_bills(newest.account, PAGE_SIZE, offset)
        found += [bill for bill in page if period.contains(bill) and bill.issued <= newest.issued]
        if len(page) < PAGE_SIZE or (page[-1].issued.year, page[-1].issued.month) < period.first:
            break
    return [bill for bill in reversed(found) if add_months(bill.issued, document_months) >= today]
