"""Bill dispute: open a support ticket for a bill or one of its lines and text its reference (F13)."""

import re
from base64 import b32encode
from hashlib import blake2b

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Bill, BillLine, Ticket
from flows.selfcare.invoice import RUBRICS, picked, rubric_word
from menus.model.facts import Fact, Facts, Money, Month, Rows, Text
from menus.text.input_parsing import as_month

COLUMNS = ("rubric", "charge", "billed_line")
MOST_LINES = 99
MOST_BILLS = 36
_REFERENCE = re.compile(r"(\S+)(?:\s+(\d{1,2}))?")
"""A bill's number or month, optionally followed by the position of a line on it."""


async def lines(ask: Ask) -> Outcome:
    """List the bill's lines, to choose the disputed one."""
    bill_lines = await ask.world.billing.lines(ask.known().account, picked(ask))
    rows = tuple(_row(line) for line in bill_lines[:MOST_LINES])
    return Outcome("ok" if rows else "none", {"billed": Rows(COLUMNS, rows)})


async def opened(ask: Ask) -> Outcome:
    """Open a ticket for the selected line."""
    line, number = ask.facts.get("billed_line"), picked(ask, "bill_number")
    return await _ticket(ask, picked(ask), number, line.value if isinstance(line, Text) else "")


async def by_reference(ask: Ask) -> Outcome:
    """Open a ticket for a texted reference: a bill's number or month, and a line's position on it."""
    subscriber, match = ask.known(), _REFERENCE.fullmatch(ask.typed.strip())
    bills = await ask.world.billing.bills(subscriber.account, MOST_BILLS) if match else []
    bill = next((each for each in bills if match and _is(each, match[1], ask)), None)
    if bill is None or match is None:
        return Outcome("none")
    if not match[2]:
        return await _ticket(ask, bill.id, bill.number, "")
    bill_lines = await ask.world.billing.lines(subscriber.account, bill.id)
    position = int(match[2])
    if not 0 < position <= len(bill_lines):
        return Outcome("none")
    return await _ticket(ask, bill.id, bill.number, bill_lines[position - 1].id)


def _is(bill: Bill, text: str, ask: Ask) -> bool:
    return bill.number.casefold() == text.casefold() or Month.of(bill.issued) == as_month(text, ask.today)


def _row(line: BillLine) -> tuple[Fact, ...]:
    rubric = line.rubric if line.rubric in RUBRICS else "other"
    return rubric_word(rubric), Money(line.amount), Text(line.id)


async def _ticket(ask: Ask, bill: str, number: str, line: str) -> Outcome:
    ticket = Ticket(_reference(ask, bill, line), "contest", bill, line, ask.channel)
    facts: Facts = {"reference": Text(ticket.reference), "bill": Text(bill), "bill_number": Text(number)}
    change = ask.change(tickets=(ticket,), notices=(ask.sms("contest.notice", facts, "reply"),))
    return Outcome(await ask.world.ledger.commit(change), facts)


def _reference(ask: Ask, bill: str, line: str) -> str:
    """Return the ticket's reference, 8 letters and digits, the same for a line disputed twice on one day."""
    source = "\x00".join((ask.menu.name, ask.known().id, bill, line, ask.today.isoformat()))
    return b32encode(blake2b(source.encode(), digest_size=5).digest()).decode()


ACTIONS = {
    "contest.lines": action(lines, "ok none"),
    "contest.open": action(opened, "ok"),
    "contest.by_reference": action(by_reference, "ok none"),
}
