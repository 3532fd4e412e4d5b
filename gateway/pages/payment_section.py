"""Paying on the bill page: what direct debit collects, other ways, more time (F8)."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from flows.domain.actions import ActionRequest
from flows.domain.failures import Failure
from flows.payments.direct_debits import collects_bill, find_debit, mandate_facts
from flows.selfcare import promise
from flows.selfcare.invoice import account_bill_facts
from gateway.pages.action_request import build_action_request
from gateway.pages.page_request import PageRequest
from menus.model.facts import Facts, Rows, Text

PROMISE_FIELD = "promise"
"""The field of the buttons that promise to pay later: the number of the choice, from 1."""
WAYS_NODE, PROMISE_NODE, MANDATE_STEP = "pay.others", "promise.start", "pay.mandate"
LabelledText = tuple[str, str]
"""A label and a text, or a form value and the words of its button."""


@dataclass(frozen=True, slots=True)
class PaymentSection:
    """What the section shows, as texts of the page's language."""

    ways: tuple[LabelledText, ...] = field(repr=False)
    """How the bill is or can be paid: direct debit, time given, cheque, slip."""
    delays: tuple[LabelledText, ...] = field(repr=False)
    """Buttons that promise to pay later."""


async def build_payment_section(request: PageRequest, number: str, bill_id: str) -> PaymentSection | None:
    """Return the section of a line's bill; None while billing does not answer."""
    try:
        action = await _bill_action(request, number, bill_id)
        ways = [each async for each in _debit_rows(request, action, bill_id)]
        time_given, delays = await _delay_rows(request, action)
    except Failure:
        return None
    return PaymentSection((*ways, *time_given, *_other_ways(request)), tuple(delays))


async def promise_payment(request: PageRequest, number: str, bill_id: str, key: str) -> None:
    """Make the promise whose button was pressed; nothing for a choice that is not offered any more."""
    action = replace(await _bill_action(request, number, bill_id), key=key)
    offer = await promise.offer_delays(action)
    delays, chosen = offer.facts.get("delays"), request.form_fields.get(PROMISE_FIELD, "")
    if not isinstance(delays, Rows) or chosen not in map(str, range(1, len(delays.rows) + 1)):
        return
    facts: Facts = {**offer.facts, **delays.row(int(chosen) - 1)}
    await promise.make_promise(replace(action, facts=facts))


async def _bill_action(request: PageRequest, number: str, bill_id: str) -> ActionRequest:
    subscriber = await request.ports.billing.get_subscriber(number)
    action = build_action_request(request, subscriber, promise.SELECTED)
    return replace(action, facts={"bill": Text(bill_id)})


async def _debit_rows(request: PageRequest, action: ActionRequest, bill_id: str) -> AsyncIterator[LabelledText]:
    """Yield what billing will collect of the bill, and when."""
    account = action.require_subscriber().account
    mandate = await find_debit(request.ports.billing, account)
    bill = await request.ports.billing.get_bill(account, bill_id)
    if mandate and bill.remaining > 0 and collects_bill(mandate, bill.due, action.today):
        facts: Facts = {**account_bill_facts(bill, action), **mandate_facts(mandate)}
        yield request.plain_text("page.debit"), request.plain_text("pay.debit", facts)


async def _delay_rows(
    request: PageRequest, action: ActionRequest
) -> tuple[Sequence[LabelledText], Sequence[LabelledText]]:
    """Return until when time was given, and the buttons of what may be promised; none where nothing may."""
    if PROMISE_NODE not in request.menu.nodes:
        return (), ()
    offer = await promise.offer_delays(action)
    if offer.name == "open":
        return ((request.plain_text("page.promise"), request.plain_text("promise.open", offer.facts)),), ()
    delays = offer.facts.get("delays")
    if not isinstance(delays, Rows):
        return (), ()
    choices = [{**offer.facts, **delays.row(index)} for index in range(len(delays.rows))]
    words = (request.plain_text("page.promise_button", {**each, **_parts(action, each)}) for each in choices)
    return (), [(str(number), text) for number, text in enumerate(words, 1)]


def _parts(action: ActionRequest, chosen: Facts) -> Facts:
    return promise.parts_facts(replace(action, facts=chosen))


def _other_ways(request: PageRequest) -> Iterator[LabelledText]:
    """Yield the ways to pay that the pack's screen of them leads to, each with its text."""
    nodes = request.menu.nodes
    for option in nodes[WAYS_NODE].options if WAYS_NODE in nodes else ():
        text = "pay.mandate_notice" if option.to == MANDATE_STEP else nodes[option.to].text
        yield request.plain_text(option.text), request.plain_text(text)
