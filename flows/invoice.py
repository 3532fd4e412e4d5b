"""Reading bills: the latest, the list, one with its detail."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from flows.actions import Ask, Outcome, action
from flows.records import Bill, BillLine
from menus.facts import Fact, Facts, Money, Month, Number, Rows, Text, Word

COLUMNS = ("short_month", "row_month", "amount", "short_state", "bill")
RUBRICS = ("subscriptions", "options", "communications", "equipment", "one_off", "third_party")


def shown(bill: Bill, line: str) -> dict[str, Fact | Rows]:
    """A bill's facts, as every screen and notice names them."""
    return {
        "bill": Text(bill.id),
        "month": Month.of(bill.issued),
        "line": Number(line),
        "total": Money(bill.total),
        "tax": Money(bill.tax),
        "remaining": Money(bill.remaining),
        "due": bill.due,
        "state": Word(f"state.{bill.state}"),
    }


async def latest(ask: Ask) -> Outcome:
    """The newest bill that may be shown (R1: as soon as it is issued; B1: after the delay)."""
    account = ask.known().account
    bills = await ask.world.billing.bills(account, 2)
    visible = published(bills, ask)
    if not visible:
        return _nothing(bills, ask)
    return Outcome("ok", shown(visible[0], ask.line))


async def listing(ask: Ask) -> Outcome:
    """The newest bills, as many as the rules list (R5, M10: six)."""
    depth = ask.menu.form.rules.list_depth
    bills = await ask.world.billing.bills(ask.known().account, depth + 1)
    visible = published(bills, ask)[:depth]
    if not visible:
        return _nothing(bills, ask)
    return Outcome("ok", {"bills": Rows(COLUMNS, tuple(map(_row, visible)))})


async def opened(ask: Ask) -> Outcome:
    """The bill picked from the list; only ever one of the asking account."""
    bill = await ask.world.billing.bill(ask.known().account, _picked(ask))
    return Outcome("ok", shown(bill, ask.line))


async def detail(ask: Ask) -> Outcome:
    """The bill by rubric."""
    lines = await ask.world.billing.lines(ask.known().account, _picked(ask))
    return Outcome("ok", _by_rubric(lines))


def published(bills: Sequence[Bill], ask: Ask) -> list[Bill]:
    """The bills whose publication delay is over, newest first."""
    delay = timedelta(days=ask.menu.form.rules.publish_delay_days)
    return [bill for bill in bills if bill.issued + delay <= ask.today]


def _nothing(bills: Sequence[Bill], ask: Ask) -> Outcome:
    if not bills:
        return Outcome("none")
    available: date = bills[-1].issued + timedelta(days=ask.menu.form.rules.publish_delay_days)
    return Outcome("early", {"available": available})


def _row(bill: Bill) -> tuple[Fact, ...]:
    month = Month.of(bill.issued)
    return (
        Text(f"{month.month:02}/{month.year % 100:02}"),
        month,
        Money(bill.total),
        _short(bill),
        Text(bill.id),
    )


def _short(bill: Bill) -> Word:
    return Word(f"short.{bill.state}")


def _picked(ask: Ask) -> str:
    bill = ask.facts["bill"]
    return bill.value if isinstance(bill, Text) else ""


def _by_rubric(lines: Sequence[BillLine]) -> Facts:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.rubric] += line.amount
    return {rubric: Money(sums[rubric]) for rubric in RUBRICS}


ACTIONS = {
    "invoice.latest": action(latest, "ok none early"),
    "invoice.list": action(listing, "ok none early"),
    "invoice.open": action(opened, "ok"),
    "invoice.lines": action(detail, "ok"),
}
