"""Bill dispute: open a support ticket for a bill or one of its lines and text its reference (F13)."""

import re

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Bill, BillLine
from flows.domain.rubrics import LINE_RUBRICS
from flows.selfcare.invoice import rubric_word, selected_bill
from flows.services.tickets import build_ticket
from menus.model.facts import Fact, Facts, Money, Month, Rows, Text
from menus.text.input_parsing import parse_month

LINE_COLUMNS = ("rubric", "charge", "billed_line")
MAX_LINES = 99
MAX_BILLS = 36
_REFERENCE_PATTERN = re.compile(r"(\S+)(?:\s+(\d{1,2}))?")
"""A bill's number or month, optionally followed by the position of a line on it."""


async def list_lines(request: ActionRequest) -> Outcome:
    """List the bill's lines, to choose the disputed one."""
    bill_lines = await request.ports.billing.list_bill_lines(
        request.require_subscriber().account, selected_bill(request)
    )
    rows = tuple(_line_row(line) for line in bill_lines[:MAX_LINES])
    return Outcome("ok" if rows else "none", {"billed": Rows(LINE_COLUMNS, rows)})


async def open_dispute(request: ActionRequest) -> Outcome:
    """Open a ticket for the selected line."""
    line, number = request.facts.get("billed_line"), selected_bill(request, "bill_number")
    return await _open_ticket(
        request, selected_bill(request), number, line.value if isinstance(line, Text) else ""
    )


async def open_dispute_by_reference(request: ActionRequest) -> Outcome:
    """Open a ticket for a texted reference: a bill's number or month, and a line's position on it."""
    subscriber, match = request.require_subscriber(), _REFERENCE_PATTERN.fullmatch(request.input_text.strip())
    bills = await request.ports.billing.list_bills(subscriber.account, MAX_BILLS) if match else []
    bill = next((each for each in bills if match and _matches_reference(each, match[1], request)), None)
    if bill is None or match is None:
        return Outcome("none")
    if not match[2]:
        return await _open_ticket(request, bill.id, bill.number, "")
    bill_lines = await request.ports.billing.list_bill_lines(subscriber.account, bill.id)
    position = int(match[2])
    if not 0 < position <= len(bill_lines):
        return Outcome("none")
    return await _open_ticket(request, bill.id, bill.number, bill_lines[position - 1].id)


def _matches_reference(bill: Bill, text: str, request: ActionRequest) -> bool:
    return bill.number.casefold() == text.casefold() or Month.from_date(bill.issued) == parse_month(
        text, request.today
    )


def _line_row(line: BillLine) -> tuple[Fact, ...]:
    rubric = line.rubric if line.rubric in LINE_RUBRICS else "other"
    return rubric_word(rubric), Money(line.amount), Text(line.id)


async def _open_ticket(request: ActionRequest, bill: str, number: str, line: str) -> Outcome:
    ticket = build_ticket(request, "contest", bill, number, line)
    facts: Facts = {"reference": Text(ticket.reference), "bill": Text(bill), "bill_number": Text(number)}
    change = request.build_change(
        tickets=(ticket,), messages=(request.build_sms("contest.notice", facts, "reply"),)
    )
    return Outcome(await request.ports.ledger.commit(change), facts)


ACTIONS = {
    "contest.lines": define_action(list_lines, "ok none"),
    "contest.open": define_action(open_dispute, "ok"),
    "contest.by_reference": define_action(open_dispute_by_reference, "ok none"),
}
