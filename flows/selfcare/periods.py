"""Bills by month: show the bill of a month, and forecast the next bill's date."""

from collections.abc import Sequence
from datetime import date, timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Bill
from flows.selfcare.invoice import months_later, nothing, published, readable, told
from menus.model.facts import Month
from menus.text.input_parsing import as_month

DAYS_FROM = 3
"""Bills sampled to find the billing day of the month: a short month may have moved one of them."""


async def by_month(ask: Ask) -> Outcome:
    """Show the bill of the month entered, as long as its document may be read (F5, F6, M13)."""
    subscriber, month = ask.known(), as_month(ask.typed, ask.today)
    if month is None:
        return Outcome("none", {"asked": Month.of(ask.today)})
    bills = await ask.world.billing.bills(subscriber.account, _within(month, ask))
    return _found([bill for bill in bills if Month.of(bill.issued) == month], month, ask)


async def next_one(ask: Ask) -> Outcome:
    """Show when the next bill is issued (B2: the same day every month) and when it is published (B1)."""
    bills = await ask.world.billing.bills(ask.known().account, DAYS_FROM)
    if not bills:
        return Outcome("none")
    next_date = next_day(ask.today, bills[0].issued, max(bill.issued.day for bill in bills))
    delay = timedelta(days=ask.menu.form.rules.publish_delay_days)
    return Outcome("ok", {"next": next_date, "available": next_date + delay})


def _within(month: Month, ask: Ask) -> int:
    """Return how many bills to fetch to reach the month: one a month and a margin, within retention."""
    months_back = (ask.today.year - month.year) * 12 + ask.today.month - month.month
    return max(1, min(months_back, ask.menu.form.rules.document_months) + DAYS_FROM)


def _found(bills: Sequence[Bill], month: Month, ask: Ask) -> Outcome:
    """Return the outcome for a month; a month past retention is `old` whether or not it had a bill."""
    kept_months = ask.menu.form.rules.document_months + 1
    is_past_retention = months_later(date(month.year, month.month, 1), kept_months) <= ask.today
    if is_past_retention or (bills and not readable(bills[0], ask)):
        return Outcome("old", {"asked": month})
    if not bills:
        return Outcome("none", {"asked": month})
    if not published(bills, ask):
        return nothing(bills, ask)
    return Outcome("ok", told(bills[0], ask))


def next_day(today: date, newest: date, day: int) -> date:
    """Return the next billing date after today and the newest bill: `day`, or a shorter month's last day."""
    months = 1
    while (candidate := _on(months_later(newest.replace(day=1), months), day)) <= today:
        months += 1
    return candidate


def _on(first: date, day: int) -> date:
    last = months_later(first, 1) - timedelta(days=1)
    return min(last, first + timedelta(days=day - 1))


ACTIONS = {
    "invoice.month": action(by_month, "ok none early old"),
    "invoice.next": action(next_one, "ok none"),
}
