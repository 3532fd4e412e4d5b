"""Bills by month: show the bill of a month, and forecast the next bill's date."""

from collections.abc import Sequence
from datetime import date, timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Bill
from flows.selfcare.invoice import (
    account_bill_facts,
    add_months,
    is_adjustment,
    is_document_readable,
    no_bill_outcome,
    published_bills,
)
from menus.model.facts import Month
from menus.text.input_parsing import parse_month

SAMPLE_BILLS = 3
"""Bills sampled to find the billing day of the month: a short month may have moved one of them."""
SAMPLE_DOCUMENTS = 12
"""Documents read to find those bills among credit notes and cancelled bills."""
MAX_DOCUMENTS = 600
"""Most documents read to find a month: two years with more than twenty a month."""


async def show_month_bill(request: ActionRequest) -> Outcome:
    """Show the bill of the month entered, as long as its document may be read (F5, F6, M13)."""
    subscriber, month = request.require_subscriber(), parse_month(request.input_text, request.today)
    if month is None:
        return Outcome("none", {"asked": Month.from_date(request.today)})
    if _is_past_retention(month, request):
        return Outcome("old", {"asked": month})
    bills = await _bills_of_month(subscriber.account, month, request)
    return _month_outcome(sorted(bills, key=is_adjustment), month, request)


async def forecast_next_bill(request: ActionRequest) -> Outcome:
    """Show when the next bill is issued (B2: the same day every month) and when it is published (B1).

    A bill that is issued and not yet published is the next one.
    """
    documents = await request.ports.billing.list_bills(request.require_subscriber().account, SAMPLE_DOCUMENTS)
    bills = [bill for bill in documents if not is_adjustment(bill)][:SAMPLE_BILLS]
    if not bills:
        return Outcome("none")
    delay = timedelta(days=request.menu.config.rules.publish_delay_days)
    newest, published_until = bills[0].issued, request.today - delay
    is_waiting = newest > published_until
    billing_day = max(bill.issued.day for bill in bills)
    next_date = newest if is_waiting else next_bill_date(published_until, newest, billing_day)
    return Outcome("ok", {"next": next_date, "available": next_date + delay})


async def _bills_of_month(account: str, month: Month, request: ActionRequest) -> list[Bill]:
    """Return the month's bills, newest first; pages are read until one begins before the month.

    A month may have more than one document (a credit note beside the bill), so their number says nothing.
    """
    found: list[Bill] = []
    page_size, offset = max(1, _months_back(month, request)) + SAMPLE_BILLS, 0
    while offset < MAX_DOCUMENTS:
        page = await request.ports.billing.list_bills(account, page_size, offset)
        found += [bill for bill in page if Month.from_date(bill.issued) == month]
        if len(page) < page_size or _month_index(Month.from_date(page[-1].issued)) < _month_index(month):
            break
        offset += page_size
    return found


def _months_back(month: Month, request: ActionRequest) -> int:
    """Return how many months lie between the month and today; negative for a coming one."""
    return _month_index(Month.from_date(request.today)) - _month_index(month)


def _month_index(month: Month) -> int:
    return month.year * 12 + month.month


def _is_past_retention(month: Month, request: ActionRequest) -> bool:
    """Return whether no bill of the month can be read any more, whatever its day of issue."""
    return _months_back(month, request) > request.menu.config.rules.document_months


def _month_outcome(bills: Sequence[Bill], month: Month, request: ActionRequest) -> Outcome:
    """Return the outcome for a month within retention and its bills, the one to show first."""
    if bills and not is_document_readable(bills[0], request):
        return Outcome("old", {"asked": month})
    if not bills:
        return Outcome("none", {"asked": month})
    if not published_bills(bills, request):
        return no_bill_outcome(bills, request)
    return Outcome("ok", account_bill_facts(bills[0], request))


def next_bill_date(today: date, newest: date, day: int) -> date:
    """Return the next billing date after a day and the newest bill: `day`, or a shorter month's last day."""
    months = 1
    while (candidate := _billing_day_in(add_months(newest.replace(day=1), months), day)) <= today:
        months += 1
    return candidate


def _billing_day_in(first: date, day: int) -> date:
    last = add_months(first, 1) - timedelta(days=1)
    return min(last, first + timedelta(days=day - 1))


ACTIONS = {
    "invoice.month": define_action(show_month_bill, "ok none early old"),
    "invoice.next": define_action(forecast_next_bill, "ok none"),
}
