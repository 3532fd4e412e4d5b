"""Bills by month: show the bill of a month, and forecast the next bill's date."""

from collections.abc import Sequence
from datetime import date, timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Bill
from flows.selfcare.invoice import (
    account_bill_facts,
    add_months,
    is_document_readable,
    no_bill_outcome,
    published_bills,
)
from menus.model.facts import Month
from menus.text.input_parsing import parse_month

SAMPLE_BILLS = 3
"""Bills sampled to find the billing day of the month: a short month may have moved one of them."""


async def show_month_bill(request: ActionRequest) -> Outcome:
    """Show the bill of the month entered, as long as its document may be read (F5, F6, M13)."""
    subscriber, month = request.require_subscriber(), parse_month(request.input_text, request.today)
    if month is None:
        return Outcome("none", {"asked": Month.from_date(request.today)})
    bills = await request.ports.billing.list_bills(subscriber.account, _bills_back_to(month, request))
    return _month_outcome([bill for bill in bills if Month.from_date(bill.issued) == month], month, request)


async def forecast_next_bill(request: ActionRequest) -> Outcome:
    """Show when the next bill is issued (B2: the same day every month) and when it is published (B1)."""
    bills = await request.ports.billing.list_bills(request.require_subscriber().account, SAMPLE_BILLS)
    if not bills:
        return Outcome("none")
    next_date = next_bill_date(request.today, bills[0].issued, max(bill.issued.day for bill in bills))
    delay = timedelta(days=request.menu.config.rules.publish_delay_days)
    return Outcome("ok", {"next": next_date, "available": next_date + delay})


def _bills_back_to(month: Month, request: ActionRequest) -> int:
    """Return how many bills to fetch to reach the month: one a month and a margin, within retention."""
    months_back = (request.today.year - month.year) * 12 + request.today.month - month.month
    return max(1, min(months_back, request.menu.config.rules.document_months) + SAMPLE_BILLS)


def _month_outcome(bills: Sequence[Bill], month: Month, request: ActionRequest) -> Outcome:
    """Return the outcome for a month; a month past retention is `old` whether or not it had a bill."""
    kept_months = request.menu.config.rules.document_months + 1
    is_past_retention = add_months(date(month.year, month.month, 1), kept_months) <= request.today
    if is_past_retention or (bills and not is_document_readable(bills[0], request)):
        return Outcome("old", {"asked": month})
    if not bills:
        return Outcome("none", {"asked": month})
    if not published_bills(bills, request):
        return no_bill_outcome(bills, request)
    return Outcome("ok", account_bill_facts(bills[0], request))


def next_bill_date(today: date, newest: date, day: int) -> date:
    """Return the next billing date after today and the newest bill: `day`, or a shorter month's last day."""
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
