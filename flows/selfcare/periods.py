"""Bills by month: the one asked for, and when the next one comes."""

from collections.abc import Sequence
from datetime import date, timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Bill
from flows.selfcare.invoice import months_later, nothing, published, readable, told
from menus.model.facts import Month
from menus.text.input_parsing import as_month

DAYS_FROM = 3
"""Bills looked at for the day of the month: a short month may have moved one of them."""


async def by_month(ask: Ask) -> Outcome:
    """The bill of the month typed, as long as its document may be read (F5, F6, M13)."""
    known, month = ask.known(), as_month(ask.typed, ask.today)
    if month is None:
        return Outcome("none", {"asked": Month.of(ask.today)})
    bills = await ask.world.billing.bills(known.account, _within(month, ask))
    return _found([bill for bill in bills if Month.of(bill.issued) == month], month, ask)


async def next_one(ask: Ask) -> Outcome:
    """When the next bill is made (B2: the same day every month) and when it can be read (B1)."""
    bills = await ask.world.billing.bills(ask.known().account, DAYS_FROM)
    if not bills:
        return Outcome("none")
    made = next_day(ask.today, bills[0].issued, max(bill.issued.day for bill in bills))
    delay = timedelta(days=ask.menu.form.rules.publish_delay_days)
    return Outcome("ok", {"next": made, "available": made + delay})


def _within(month: Month, ask: Ask) -> int:
    """How many bills reach back to the month, one a month, with some to spare; never beyond what is kept."""
    back = (ask.today.year - month.year) * 12 + ask.today.month - month.month
    return max(1, min(back, ask.menu.form.rules.document_months) + DAYS_FROM)


def _found(bills: Sequence[Bill], month: Month, ask: Ask) -> Outcome:
    """What there is to say of a month; the bill of a month gone for good is `old`, there or not."""
    gone = months_later(date(month.year, month.month, 1), ask.menu.form.rules.document_months + 1) <= ask.today
    if gone or (bills and not readable(bills[0], ask)):
        return Outcome("old", {"asked": month})
    if not bills:
        return Outcome("none", {"asked": month})
    if not published(bills, ask):
        return nothing(bills, ask)
    return Outcome("ok", told(bills[0], ask))


def next_day(today: date, newest: date, day: int) -> date:
    """The first day after today and after the newest bill on which one is made: `day`, or the month's last."""
    months = 1
    while (made := _on(months_later(newest.replace(day=1), months), day)) <= today:
        months += 1
    return made


def _on(first: date, day: int) -> date:
    last = months_later(first, 1) - timedelta(days=1)
    return min(last, first + timedelta(days=day - 1))


ACTIONS = {
    "invoice.month": action(by_month, "ok none early old"),
    "invoice.next": action(next_one, "ok none"),
}
