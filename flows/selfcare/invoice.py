"""Reading bills: show the latest bill, the list of bills, and one bill with its charges."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from flows.domain.actions import AS_OF, Ask, Outcome, action
from flows.domain.records import Bill, BillLine
from menus.model.facts import Fact, Facts, Money, Month, Number, Rows, Text, Word

COLUMNS = ("short_month", "row_month", "amount", "short_state", "bill", "bill_number")
RUBRICS = ("subscriptions", "options", "communications", "equipment", "one_off", "third_party", "prorata")
CHARGED = ("rubric", "charge")


def shown(bill: Bill, line: str) -> dict[str, Fact | Rows]:
    """Return a bill's facts under the names that screens and notices use."""
    return {
        **named(bill),
        "month": Month.of(bill.issued),
        "line": Number(line),
        "total": Money(bill.total),
        "tax": Money(bill.tax),
        "paid": Money(bill.total - bill.remaining),
        "remaining": Money(bill.remaining),
        "due": bill.due,
        "issued": bill.issued,
        "net": Money(bill.total - bill.tax),
        "state": Word(f"state.{bill.state}"),
        **dated(bill),
    }


def told(bill: Bill, ask: Ask) -> dict[str, Fact | Rows]:
    """Return the facts of the requester's bill, with the last three digits of their account number."""
    subscriber = ask.known()
    number = subscriber.account_number or subscriber.account
    return {**shown(bill, ask.line), "customer": Text(f"***{number[-3:]}")}


def named(bill: Bill) -> dict[str, Fact]:
    """Return billing's id of the bill and the number printed on it."""
    return {"bill": Text(bill.id), "bill_number": Text(bill.number)}


def dated(bill: Bill) -> dict[str, Fact | Rows]:
    """Return the day of a cached answer, which the screen shows first; empty when billing just answered."""
    return {AS_OF: bill.seen} if bill.seen else {}


async def latest(ask: Ask) -> Outcome:
    """Show the newest bill (R1), or when it will be published (B1)."""
    bills = await ask.world.billing.bills(ask.known().account, 1)
    if not published(bills, ask):
        return nothing(bills, ask)
    return Outcome("ok", told(bills[0], ask))


async def listing(ask: Ask) -> Outcome:
    """List the newest bills, as many as the operator's rules allow (R5, M10: six; F4: twelve)."""
    depth = ask.menu.form.rules.list_depth
    bills = await ask.world.billing.bills(ask.known().account, depth + 1)
    visible = [bill for bill in published(bills, ask) if readable(bill, ask)][:depth]
    if not visible:
        return nothing(bills, ask)
    return Outcome("ok", {"bills": Rows(COLUMNS, tuple(map(_row, visible))), **dated(visible[0])})


async def opened(ask: Ask) -> Outcome:
    """Show the bill selected from the list; billing returns only bills of the requesting account."""
    bill = await ask.world.billing.bill(ask.known().account, picked(ask))
    return Outcome("ok", told(bill, ask))


async def detail(ask: Ask) -> Outcome:
    """Show the bill's charges by rubric."""
    lines = await ask.world.billing.lines(ask.known().account, picked(ask))
    return Outcome("ok", by_rubric(lines))


def published(bills: Sequence[Bill], ask: Ask) -> list[Bill]:
    """Return the bills whose publication delay is over, newest first."""
    delay = timedelta(days=ask.menu.form.rules.publish_delay_days)
    return [bill for bill in bills if bill.issued + delay <= ask.today]


def readable(bill: Bill, ask: Ask) -> bool:
    """Return whether the bill's document may still be read (F5: 24 months after issue)."""
    return months_later(bill.issued, ask.menu.form.rules.document_months) >= ask.today


def months_later(day: date, months: int) -> date:
    """Return the same day some months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def nothing(bills: Sequence[Bill], ask: Ask) -> Outcome:
    """Return why there is no bill to show: `early` before the publication day, else `none`."""
    unpublished = bills[: len(bills) - len(published(bills, ask))]
    if not unpublished:
        return Outcome("none")
    available: date = unpublished[-1].issued + timedelta(days=ask.menu.form.rules.publish_delay_days)
    return Outcome("early", {"available": available, "month": Month.of(unpublished[-1].issued)})


def _row(bill: Bill) -> tuple[Fact, ...]:
    month = Month.of(bill.issued)
    return (
        Text(f"{month.month:02}/{month.year % 100:02}"),
        month,
        Money(bill.total),
        _short(bill),
        *named(bill).values(),
    )


def _short(bill: Bill) -> Word:
    return Word(f"short.{bill.state}")


def picked(ask: Ask, fact: str = "bill") -> str:
    """Return the id of the selected bill, or another text fact of it such as `bill_number`."""
    bill = ask.facts[fact]
    return bill.value if isinstance(bill, Text) else ""


def by_rubric(lines: Sequence[BillLine]) -> Facts:
    """Return each rubric's sum, and rows of those that are not zero; an unknown rubric counts as one-off."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.rubric if line.rubric in RUBRICS else "one_off"] += line.amount
    rows = tuple((rubric_word(rubric), Money(sums[rubric])) for rubric in RUBRICS if sums[rubric])
    return {**{rubric: Money(sums[rubric]) for rubric in RUBRICS}, "charged": Rows(CHARGED, rows)}


def rubric_word(rubric: str) -> Word:
    """Return a rubric's name in the text catalogue."""
    return Word(f"page.rubric_{rubric}")


ACTIONS = {
    "invoice.latest": action(latest, "ok none early"),
    "invoice.list": action(listing, "ok none early"),
    "invoice.open": action(opened, "ok"),
    "invoice.lines": action(detail, "ok"),
}
