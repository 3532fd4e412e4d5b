"""Paying a bill: choose it, get a link or approve in the wallet; other ways to pay (M14, F8, R1)."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from flows.domain.account_activity import DirectDebit
from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.failures import NotFound
from flows.domain.payment_records import PaymentIntent
from flows.domain.records import Bill
from flows.payments.direct_debits import collects_bill, find_debit, mandate_facts
from flows.payments.opening import PaymentOpening
from flows.payments.payable import (
    PaymentPorts,
    find_under_way,
    is_settled,
    payment_ports,
    takes_payments,
)
from flows.payments.payment_link import LinkedBill, build_link_change, find_destination
from flows.selfcare.invoice import (
    account_bill_facts,
    no_bill_outcome,
    published_bills,
    selected_bill,
)
from flows.services.sim_swap import has_new_sim
from menus.model.facts import Money, Text
from menus.render.voice import PAYMENT_FACT

LINK_ACTION, WALLET_ACTION, CARD_ACTION = "pay.link", "pay.wallet", "pay.card"
WALLET_SIM_WINDOW = timedelta(hours=24)
"""After a SIM swap no request goes to the wallet for this long."""
MAX_LIVE_READS = 3
"""Unpaid bills read again at billing in one turn, where its list is not live."""


async def choose_bill(request: ActionRequest) -> Outcome:
    """Offer the oldest bill that is not paid, with the amount that billing names now."""
    if not _has_ways_to_pay(request):
        return Outcome("closed")
    if takes_payments(request.ports) and "live_list" in request.ports.billing.capabilities:
        return await _choose_from_live_list(request)
    depth = request.menu.config.rules.list_depth
    bills = await request.ports.billing.list_bills(request.require_subscriber().account, depth)
    visible = published_bills(bills, request)
    if not visible:
        return no_bill_outcome(bills, request)
    unpaid = [bill for bill in reversed(visible) if not is_settled(bill)]
    for bill in unpaid[:MAX_LIVE_READS]:
        offer = await _offer_or_debit(request, bill.id)
        if offer.name != "settled":
            return offer
    return Outcome("settled", account_bill_facts(visible[0], request))


async def _choose_from_live_list(request: ActionRequest) -> Outcome:
    """Choose from a list whose amounts are live: everything is read at once, and no bill again."""
    ports, subscriber = payment_ports(request.ports), request.require_subscriber()
    live, intents = await asyncio.gather(
        ports.booking.read_live_account(subscriber.account, request.menu.config.rules.list_depth),
        ports.intents.list_payments_under_way(subscriber.operator, subscriber.account),
    )
    visible = published_bills(live.bills, request)
    if not visible:
        return no_bill_outcome(live.bills, request)
    bill = next((each for each in reversed(visible) if not is_settled(each)), visible[0])
    offer = _payable_or_reason(request, bill, [each for each in intents if each.bill_id == bill.id])
    return _debit_or_offer(request, _offer_outcome(request, offer), live.mandate)


async def open_payment(request: ActionRequest) -> Outcome:
    """Offer the bill that was selected, with the amount that billing names now."""
    if not _has_ways_to_pay(request):
        return Outcome("closed")
    return await _offer_or_debit(request, selected_bill(request))


async def pay_anyway(request: ActionRequest) -> Outcome:
    """Offer a bill that will be collected by direct debit, to be paid now instead."""
    return await _offer_bill(request, selected_bill(request))


async def send_payment_link(request: ActionRequest) -> Outcome:
    """Send the link to the phone in use, or by e-mail where that gets no SMS (`mailed`).

    `changed` when billing names another amount than the one agreed to.
    """
    if request.ports.payments is None or not takes_payments(request.ports):
        return Outcome("closed")
    agreed = await _find_agreed_bill(request)
    if isinstance(agreed, Outcome):
        return agreed
    destination = await find_destination(request)
    if destination is None:
        return Outcome("unreachable")
    facts = account_bill_facts(agreed, request)
    change = build_link_change(request, agreed.id, facts, destination)
    return Outcome(await request.ports.ledger.commit(change), facts)


async def request_wallet(request: ActionRequest) -> Outcome:
    """Ask the owner of the phone in use to approve the payment in the wallet; `held` just after a SIM swap."""
    if request.ports.wallet is None or not takes_payments(request.ports):
        return Outcome("closed")
    agreed = await _find_agreed_bill(request)
    if isinstance(agreed, Outcome):
        return agreed
    destination = await find_destination(request)
    if destination is None or destination.address:
        return Outcome("unreachable")
    if await _is_wallet_held(request):
        return Outcome("held")
    subscriber = request.require_subscriber()
    linked = LinkedBill(subscriber.account, agreed.id, request.line, request.caller, request.language)
    opening = PaymentOpening(request.ports, subscriber.operator, request.menu.config.currency.code)
    await opening.request_approval(linked, subscriber.id, agreed)
    return Outcome("ok", account_bill_facts(agreed, request))


async def open_card_payment(request: ActionRequest) -> Outcome:
    """Open a payment by card in this call; the connection takes the card on the screen that follows."""
    if not request.ports.takes_call_cards or not takes_payments(request.ports):
        return Outcome("closed")
    agreed = await _find_agreed_bill(request)
    if isinstance(agreed, Outcome):
        return agreed
    subscriber, facts = request.require_subscriber(), account_bill_facts(agreed, request)
    linked = LinkedBill(subscriber.account, agreed.id, request.line, request.caller, request.language)
    opening = PaymentOpening(request.ports, subscriber.operator, request.menu.config.currency.code)
    intent = await opening.open_card_payment(linked, subscriber.id, agreed)
    if intent is None:
        return Outcome("wait", {**facts, "paying": Money(agreed.remaining)})
    return Outcome("ok", {**facts, "remaining": Money(intent.amount), PAYMENT_FACT: Text(intent.id)})


async def _is_wallet_held(request: ActionRequest) -> bool:
    """Return whether the SIM of the wallet's phone was changed in the last day, by a fresh read of billing.

    The phone in use may pay the bill of another line. Of another network's phone nothing is known here.
    """
    try:
        current = await request.ports.billing.recheck_subscriber(request.caller)
    except NotFound:
        return False
    return has_new_sim(current, request.now, WALLET_SIM_WINDOW)


async def send_mandate_link(request: ActionRequest) -> Outcome:
    """Send how to sign a direct debit mandate, which the pack's text says; `mailed` where no SMS arrives."""
    destination = await find_destination(request)
    if destination is None:
        return Outcome("unreachable")
    message = destination.build_message(request, "pay.mandate", {})
    change = request.build_change(outcome=destination.outcome, messages=(message,))
    return Outcome(await request.ports.ledger.commit(change))


def _has_ways_to_pay(request: ActionRequest) -> bool:
    """Return whether there is something to offer: payments, or what billing tells of direct debits."""
    return takes_payments(request.ports) or "debits" in request.ports.billing.capabilities


async def _offer_or_debit(request: ActionRequest, bill_id: str) -> Outcome:
    """Return the offer of a bill, or `debit` for one that billing is about to collect."""
    offer, mandate = await asyncio.gather(
        _offer_bill(request, bill_id),
        find_debit(request.ports.billing, request.require_subscriber().account),
    )
    return _debit_or_offer(request, offer, mandate)


def _debit_or_offer(request: ActionRequest, offer: Outcome, mandate: DirectDebit | None) -> Outcome:
    due = offer.facts.get("due")
    if mandate is None or offer.name not in ("ok", "closed") or not isinstance(due, date):
        return offer
    if not collects_bill(mandate, due, request.today):
        return offer
    return Outcome("debit", {**offer.facts, **mandate_facts(mandate)})


async def _offer_bill(request: ActionRequest, bill_id: str) -> Outcome:
    """Return `ok` with the bill's facts, `settled`, or `wait` while a payment of it is under way.

    `closed` with the facts where bills are not paid here.
    """
    if not takes_payments(request.ports):
        return await _bill_to_pay_elsewhere(request, bill_id)
    return _offer_outcome(request, await _find_payable_bill(request, bill_id))


def _offer_outcome(request: ActionRequest, found: Bill | Outcome) -> Outcome:
    return found if isinstance(found, Outcome) else Outcome("ok", account_bill_facts(found, request))


async def _find_agreed_bill(request: ActionRequest) -> Bill | Outcome:
    """Return the selected bill as billing has it now; `changed` when its amount is not the agreed one."""
    found = await _find_payable_bill(request, selected_bill(request))
    if isinstance(found, Outcome) or Money(found.remaining) == request.facts.get("remaining"):
        return found
    return Outcome("changed", account_bill_facts(found, request))


async def _find_payable_bill(request: ActionRequest, bill_id: str) -> Bill | Outcome:
    """Return a bill that can be paid now, or `settled`, or `wait` while a payment of it is under way."""
    ports, subscriber = payment_ports(request.ports), request.require_subscriber()
    bill, intents = await asyncio.gather(
        _read_bill(request, ports, bill_id),
        ports.intents.list_bill_intents(subscriber.operator, subscriber.account, bill_id),
    )
    return _payable_or_reason(request, bill, intents)


def _payable_or_reason(request: ActionRequest, bill: Bill, intents: Sequence[PaymentIntent]) -> Bill | Outcome:
    """Return the bill, or why it cannot be paid now; `intents` are those of this bill."""
    under_way = find_under_way(intents)
    if under_way:
        facts = account_bill_facts(bill, request)
        return Outcome("wait", {**facts, "paying": Money(under_way.amount)})
    if is_settled(bill):
        return Outcome("settled", account_bill_facts(bill, request))
    return bill


async def _read_bill(request: ActionRequest, ports: PaymentPorts, bill_id: str) -> Bill:
    """Return the bill as billing has it now; NotFound for one whose publication delay is not over."""
    bill = await ports.booking.read_live_bill(request.require_subscriber().account, bill_id)
    if not published_bills([bill], request):
        raise NotFound
    return bill


async def _bill_to_pay_elsewhere(request: ActionRequest, bill_id: str) -> Outcome:
    bill = await request.ports.billing.get_bill(request.require_subscriber().account, bill_id)
    return Outcome("settled" if is_settled(bill) else "closed", account_bill_facts(bill, request))


ACTIONS = {
    "pay.choose": define_action(choose_bill, "ok debit wait settled none early closed"),
    "pay.open": define_action(open_payment, "ok debit wait settled closed"),
    "pay.anyway": define_action(pay_anyway, "ok wait settled closed"),
    WALLET_ACTION: define_action(request_wallet, "ok wait settled changed unreachable held closed"),
    CARD_ACTION: define_action(open_card_payment, "ok wait settled changed closed"),
    LINK_ACTION: define_action(send_payment_link, "ok mailed wait settled changed unreachable closed"),
    "pay.mandate": define_action(send_mandate_link, "ok mailed unreachable"),
}
