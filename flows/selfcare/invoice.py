"""Reading bills: show the latest bill, the list of bills, and one bill with its charges."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from flows.domain.actions import AS_OF, ActionRequest, Outcome, define_action
from flows.domain.records import Bill, BillLine
from flows.domain.rubrics import COMMUNICATION_PARTS, LINE_RUBRICS, RUBRICS
from menus.model.facts import Fact, Facts, Money, Month, PhoneNumber, Rows, Text, TextRef

LIST_COLUMNS = ("short_month", "row_month", "amount", "short_state", "bill", "bill_number")
CHARGE_COLUMNS = ("rubric", "charge")
OTHER_RUBRIC = "other"
"""What a bill asks for and none of its lines explains."""


def bill_facts(bill: Bill, line: str) -> dict[str, Fact | Rows]:
    """Return a bill's facts under the names that screens and notices use."""
    return {
        **bill_id_facts(bill),
        "month": Month.from_date(bill.issued),
        "line": PhoneNumber(line),
        "total": Money(bill.total),
        "tax": Money(bill.tax),
        "paid": Money(bill.total - bill.remaining),
        "remaining": Money(bill.remaining),
        "due": bill.due,
        "issued": bill.issued,
        "net": Money(bill.total - bill.tax),
        "state": TextRef(f"state.{bill.state}"),
        **staleness_fact(bill),
    }


def account_bill_facts(bill: Bill, request: ActionRequest) -> dict[str, Fact | Rows]:
    """Return the facts of the requester's bill, with the last three digits of their account number."""
    subscriber = request.require_subscriber()
    number = subscriber.account_number or subscriber.account
    return {**bill_facts(bill, request.line), "customer": Text(f"***{number[-3:]}")}


def bill_id_facts(bill: Bill) -> dict[str, Fact]:
    """Return billing's id of the bill and the number printed on it."""
    return {"bill": Text(bill.id), "bill_number": Text(bill.number)}


def staleness_fact(bill: Bill) -> dict[str, Fact | Rows]:
    """Return the day of a cached answer, which the screen shows first; empty when billing just answered."""
    return {AS_OF: bill.as_of} if bill.as_of else {}


async def show_latest(request: ActionRequest) -> Outcome:
    """Show the newest bill (R1), or when it will be published (B1)."""
    account, bills = request.require_subscriber().account, request.newest_bills
    if bills is None:
        bills = await request.ports.billing.list_bills(account, 1)
    if not published_bills(bills, request):
        return no_bill_outcome(bills, request)
    return Outcome("ok", account_bill_facts(bills[0], request))


async def list_bills(request: ActionRequest) -> Outcome:
    """List the newest bills, as many as the operator's rules allow (R5, M10: six; F4: twelve)."""
    depth = request.menu.config.rules.list_depth
    bills = await request.ports.billing.list_bills(request.require_subscriber().account, depth + 1)
    visible = [bill for bill in published_bills(bills, request) if is_document_readable(bill, request)][:depth]
    if not visible:
        return no_bill_outcome(bills, request)
    return Outcome(
        "ok", {"bills": Rows(LIST_COLUMNS, tuple(map(_list_row, visible))), **staleness_fact(visible[0])}
    )


async def open_bill(request: ActionRequest) -> Outcome:
    """Show the bill selected from the list; billing returns only bills of the requesting account."""
    bill = await request.ports.billing.get_bill(request.require_subscriber().account, selected_bill(request))
    return Outcome("ok", account_bill_facts(bill, request))


async def show_charges(request: ActionRequest) -> Outcome:
    """Show the bill's charges by rubric."""
    lines = await request.ports.billing.list_bill_lines(
        request.require_subscriber().account, selected_bill(request)
    )
    total = request.facts.get("total")
    return Outcome("ok", charges_by_rubric(lines, total.amount if isinstance(total, Money) else None))


def published_bills(bills: Sequence[Bill], request: ActionRequest) -> list[Bill]:
    """Return the bills whose publication delay is over, newest first."""
    delay = timedelta(days=request.menu.config.rules.publish_delay_days)
    return [bill for bill in bills if bill.issued + delay <= request.today]


def is_document_readable(bill: Bill, request: ActionRequest) -> bool:
    """Return whether the bill's document may still be read (F5: 24 months after issue)."""
    return add_months(bill.issued, request.menu.config.rules.document_months) >= request.today


def is_adjustment(bill: Bill) -> bool:
    """Return whether the document is no bill to pay: a credit note, or a bill that was cancelled."""
    return bill.state in ("credit", "cancelled")


def add_months(day: date, months: int) -> date:
    """Return the same day some months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def no_bill_outcome(bills: Sequence[Bill], request: ActionRequest) -> Outcome:
    """Return why there is no bill to show: `early` before the publication day, else `none`."""
    unpublished = bills[: len(bills) - len(published_bills(bills, request))]
    if not unpublished:
        return Outcome("none")
    available: date = unpublished[-1].issued + timedelta(days=request.menu.config.rules.publish_delay_days)
    return Outcome("early", {"available": available, "month": Month.from_date(unpublished[-1].issued)})


def _list_row(bill: Bill) -> tuple[Fact, ...]:
    month = Month.from_date(bill.issued)
    return (
        Text(f"{month.month:02}/{month.year % 100:02}"),
        month,
        Money(bill.total),
        _short_state(bill),
        *bill_id_facts(bill).values(),
    )


def _short_state(bill: Bill) -> TextRef:
    return TextRef(f"short.{bill.state}")


def selected_bill(request: ActionRequest, fact: str = "bill") -> str:
    """Return the id of the selected bill, or another text fact of it such as `bill_number`."""
    bill = request.facts[fact]
    return bill.value if isinstance(bill, Text) else ""


def charges_by_rubric(lines: Sequence[BillLine], total: Decimal | None = None) -> Facts:
    """Return each rubric's sum, and rows of those that are not zero; an unknown rubric counts as one-off.

    Communications are divided into their parts in the rows `charged`, and alone in `calls`. With the bill's
    `total` the rows add up to it: what no line explains is a last row, "other".
    """
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.rubric if line.rubric in LINE_RUBRICS else "one_off"] += line.amount
    if total is not None:
        sums[OTHER_RUBRIC] = total - sum(sums.values(), Decimal(0))
    calls = _charge_rows(sums, (*COMMUNICATION_PARTS, "communications"))
    charged = _charge_rows(sums, (*LINE_RUBRICS, OTHER_RUBRIC))
    sums["communications"] += sum((sums[part] for part in COMMUNICATION_PARTS), Decimal(0))
    totals = {rubric: Money(sums[rubric]) for rubric in (*RUBRICS, OTHER_RUBRIC)}
    rest = TextRef("rest.some" if sums[OTHER_RUBRIC] else "rest.none")
    return {**totals, "rest": rest, "charged": charged, "calls": calls}


def _charge_rows(sums: Mapping[str, Decimal], rubrics: Sequence[str]) -> Rows:
    """Return a row for each of these rubrics that is not zero."""
    rows = tuple((rubric_word(rubric), Money(sums[rubric])) for rubric in rubrics if sums.get(rubric))
    return Rows(CHARGE_COLUMNS, rows)


def rubric_word(rubric: str) -> TextRef:
    """Return a rubric's name in the text catalogue."""
    return TextRef(f"page.rubric_{rubric}")


ACTIONS = {
    "invoice.latest": define_action(show_latest, "ok none early"),
    "invoice.list": define_action(list_bills, "ok none early"),
    "invoice.open": define_action(open_bill, "ok"),
    "invoice.lines": define_action(show_charges, "ok"),
}
