"""Promises to pay: more time for a bill, or instalments, as rules and billing allow (F8)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from hashlib import blake2b

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.failures import NotEligible
from flows.domain.promise_records import PaymentPromise, PromiseAnswer, PromiseBilling, split_amount
from flows.domain.records import Bill, OutboundMessage
from flows.domain.ticket_records import Ticket
from flows.payments.payable import is_settled, read_current_bill
from flows.payments.payment_link import find_destination
from flows.payments.reminder_planning import currency_unit
from flows.selfcare.invoice import (
    account_bill_facts,
    no_bill_outcome,
    published_bills,
    selected_bill,
)
from flows.services.tickets import build_ticket
from menus.model.facts import Count, Fact, Facts, Money, Rows, Text, TextRef

DELAY_COLUMNS = ("delay", "promised_on", "delay_parts", "part_on")
"""A choice: its kind, its last day, its number of parts, and the day of the first."""
PART_COLUMNS = ("part_number", "part_amount", "part_on")
ONE_YEAR = timedelta(days=365)
SELECTED = "selected"
"""Argument of a step whose bill was selected on the screen before."""


async def offer_delays(request: ActionRequest) -> Outcome:
    """Offer until when, or in how many parts, the bill may be paid; or say why it cannot be put off."""
    bill = await _find_bill(request)
    if isinstance(bill, Outcome):
        return bill
    facts = account_bill_facts(bill, request)
    if reason := await _reason_to_decline(request, bill):
        return replace(reason, facts={**facts, **reason.facts})
    rows = tuple(_delay_rows(request))
    return Outcome("ok", {**facts, "delays": Rows(DELAY_COLUMNS, rows)})


async def list_parts(request: ActionRequest) -> Outcome:
    """List the parts of what was chosen, each with its amount and its day."""
    return Outcome("ok", parts_facts(request))


def parts_facts(request: ActionRequest) -> Facts:
    """Return the parts of what was chosen, as rows and in one line; no rows for a single part."""
    amount = request.facts["remaining"]
    whole = amount.amount if isinstance(amount, Money) else Decimal(0)
    first, last = _day_fact(request, "part_on"), _day_fact(request, "promised_on")
    split = split_amount(whole, _part_count(request), first, last, currency_unit(request.menu))
    rows = Rows(PART_COLUMNS, tuple((Count(each.number), Money(each.amount), each.due) for each in split))
    lines = (request.render_text("promise.part_row", rows.row(index)) for index in range(len(split)))
    shown = rows if len(split) > 1 else Rows(PART_COLUMNS, ())
    return {"instalments": shown, "all_parts": Text(" + ".join(lines))}


async def make_promise(request: ActionRequest) -> Outcome:
    """Record what was chosen: at billing where it takes promises, as a ticket for staff where it does not.

    `changed` when the bill asks for another amount than the one agreed to.
    """
    bill = await _read_bill(request, selected_bill(request))
    if Money(bill.remaining) != request.facts.get("remaining"):
        return Outcome("changed", account_bill_facts(bill, request))
    promise = _build_promise(request, bill)
    if reason := await _reason_to_decline(request, bill, promise.id):
        return reason
    answer, tickets = await _tell_billing(request, bill, promise)
    if answer != "ok":
        return Outcome("open" if answer == "one" else "declined", {"promised_on": promise.last_day})
    parts, outcome = parts_facts(request), "ok" if promise.parts == 1 else "parts"
    messages = await _confirmation(request, parts)
    change = request.build_change(outcome=outcome, tickets=tickets, messages=messages)
    return Outcome(await request.ports.ledger.commit(replace(change, promise=promise)), parts)


async def _find_bill(request: ActionRequest) -> Bill | Outcome:
    """Return the bill selected before, or the oldest that is not paid; an outcome when there is none."""
    if request.argument == SELECTED:
        bill = await _read_bill(request, selected_bill(request))
        return Outcome("settled", account_bill_facts(bill, request)) if is_settled(bill) else bill
    depth = request.menu.config.rules.list_depth
    bills = await request.ports.billing.list_bills(request.require_subscriber().account, depth)
    visible = published_bills(bills, request)
    if not visible:
        return no_bill_outcome(bills, request)
    oldest = next((bill for bill in reversed(visible) if not is_settled(bill)), None)
    if oldest is None:
        return Outcome("settled", account_bill_facts(visible[0], request))
    bill = await _read_bill(request, oldest.id)
    return Outcome("settled", account_bill_facts(bill, request)) if is_settled(bill) else bill


async def _read_bill(request: ActionRequest, bill_id: str) -> Bill:
    return await read_current_bill(request.ports.billing, request.require_subscriber().account, bill_id)


async def _reason_to_decline(request: ActionRequest, bill: Bill, own_id: str = "") -> Outcome | None:
    """Return why nothing may be promised now: `small`, `open`, `many`; None when something may.

    A promise under `own_id` is the one being made: its step runs again.
    """
    rules = request.menu.config.rules.promises
    if bill.remaining < rules.least_amount:
        return Outcome("small", {"least": Money(rules.least_amount)})
    earlier = [each for each in await _promises_of_the_year(request) if each.id != own_id]
    still_open = next((each for each in earlier if each.is_open(request.today)), None)
    if still_open:
        return Outcome("open", {"promised_on": still_open.last_day})
    return Outcome("many") if len(earlier) >= rules.most_a_year else None


async def _promises_of_the_year(request: ActionRequest) -> Sequence[PaymentPromise]:
    store, subscriber = request.ports.promises, request.require_subscriber()
    if store is None:
        raise NotEligible
    return await store.list_promises(subscriber.operator, subscriber.account, request.now - ONE_YEAR)


def _delay_rows(request: ActionRequest) -> list[tuple[Fact, ...]]:
    """Return the choices of the operator's rules, each with its last day and the day of its first part."""
    rules, today = request.menu.config.rules.promises, request.today
    rows: list[tuple[Fact, ...]] = [
        (TextRef("delay.days"), day, Count(1), day)
        for day in (today + timedelta(days=days) for days in rules.days)
    ]
    if rules.instalments > 1:
        first, last = (today + timedelta(days=rules.instalment_days * n) for n in (1, rules.instalments))
        rows.append((TextRef("delay.parts"), last, Count(rules.instalments), first))
    return rows


def _build_promise(request: ActionRequest, bill: Bill) -> PaymentPromise:
    """Return what was chosen and agreed to; its id is made of the request's key."""
    subscriber = request.require_subscriber()
    return PaymentPromise(
        id=blake2b(request.key.encode(), digest_size=16).hexdigest(),
        operator=subscriber.operator,
        subscription=subscriber.id,
        account=subscriber.account,
        bill_id=bill.id,
        amount=bill.remaining,
        parts=_part_count(request),
        first_day=_day_fact(request, "part_on"),
        last_day=_day_fact(request, "promised_on"),
        promised_at=request.now,
    )


def _part_count(request: ActionRequest) -> int:
    parts = request.facts["delay_parts"]
    return parts.value if isinstance(parts, Count) else 1


def _day_fact(request: ActionRequest, name: str) -> date:
    day = request.facts[name]
    return day if isinstance(day, date) else request.today


async def _tell_billing(
    request: ActionRequest, bill: Bill, promise: PaymentPromise
) -> tuple[PromiseAnswer, tuple[Ticket, ...]]:
    """Record the promise at billing; where it takes none, return the ticket that asks staff to."""
    billing = request.ports.billing
    if "promises" in billing.capabilities and isinstance(billing, PromiseBilling):
        return await billing.record_promise(promise), ()
    detail = f"pay by {promise.last_day.isoformat()}, parts: {promise.parts}"
    return "ok", (build_ticket(request, "promise", bill.id, bill.number, detail=detail),)


async def _confirmation(request: ActionRequest, parts: Facts) -> tuple[OutboundMessage, ...]:
    """Return the message that keeps what was promised; none by text, where the answer itself is one."""
    destination = await find_destination(request)
    if request.channel == "sms" or destination is None or destination.address:
        return ()
    chosen = {each: request.facts[each] for each in (*DELAY_COLUMNS, "month", "remaining")}
    return (destination.build_message(request, "promise.made", {**chosen, **parts}),)


ACTIONS = {
    "promise.offer": define_action(offer_delays, "ok open many small settled none early"),
    "promise.parts": define_action(list_parts, "ok", is_private=False),
    "promise.make": define_action(make_promise, "ok parts changed open many small declined"),
}
