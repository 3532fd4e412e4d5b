"""Payment history and the spend that is on no bill yet (F14): billing's answer with our own payments."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows.domain.account_activity import BookedPayment, account_activity
from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.payment_records import PaymentIntent, PaymentState
from flows.selfcare.invoice import charges_by_rubric
from menus.model.facts import Fact, Money, Rows, TextRef

PAYMENT_COLUMNS = ("paid_on", "paid_amount", "paid_how")
TAKEN_STATES: frozenset[PaymentState] = frozenset({"succeeded", "booking", "booked"})
"""States of our own payments whose money has arrived and stays."""
MAX_OWN_PAYMENTS = 50
MAX_KNOWN_PAYMENTS = 200
"""Payments read from billing, to find which of ours it has; more than are ever shown."""


async def list_payments(request: ActionRequest) -> Outcome:
    """List the last payments, as many as the screen asks for: billing's, and ours that it does not have yet."""
    subscriber = request.require_subscriber()
    billing = account_activity(request.billing_with("history"))
    booked = await billing.list_payments(subscriber.account, MAX_KNOWN_PAYMENTS)
    own: Sequence[PaymentIntent] = ()
    if request.ports.intents is not None:
        own = await request.ports.intents.list_account_intents(
            subscriber.operator, subscriber.account, TAKEN_STATES, MAX_OWN_PAYMENTS
        )
    zone = ZoneInfo(request.menu.config.time_zone)
    waiting = [
        (each.changed_at.astimezone(zone).date(), each.amount, "waiting")
        for each in not_at_billing(own, booked)
    ]
    known = [(each.paid_on, each.amount, each.method) for each in booked]
    newest = sorted([*waiting, *known], key=lambda each: each[0], reverse=True)[: int(request.argument)]
    return Outcome("ok" if newest else "none", {"payments": Rows(PAYMENT_COLUMNS, tuple(map(_row, newest)))})


def not_at_billing(own: Sequence[PaymentIntent], booked: Sequence[BookedPayment]) -> list[PaymentIntent]:
    """Return our payments that billing does not list: neither under our key, nor without a key of its own.

    A billing system that drops our key still names the bill and the amount; each of its payments stands for
    one of ours at most, so that two equal payments of a bill stay two.
    """
    keys = {each.key for each in booked}
    nameless = [(each.bill_id, each.amount) for each in booked if each.key not in {one.id for one in own}]
    missing = []
    for each in own:
        if each.id in keys:
            continue
        if (each.bill_id, each.amount) in nameless:
            nameless.remove((each.bill_id, each.amount))
            continue
        missing.append(each)
    return missing


def _row(payment: tuple[date, Decimal, str]) -> tuple[Fact, ...]:
    paid_on, amount, how = payment
    return paid_on, Money(amount), TextRef(f"payment.{how}")


async def show_unbilled(request: ActionRequest) -> Outcome:
    """Show what is on no bill yet, by rubric, and its sum; `none` when there is nothing."""
    account = request.require_subscriber().account
    lines = await account_activity(request.billing_with("unbilled")).list_unbilled_lines(account)
    charged = [line for line in lines if line.amount]
    spent = Money(sum((line.amount for line in charged), Decimal(0)))
    facts = charges_by_rubric(charged)
    return Outcome("ok" if charged else "none", {"spent": spent, "charged": facts["charged"]})


ACTIONS = {
    "spending.payments": define_action(list_payments, "ok none", capability="history"),
    "spending.unbilled": define_action(show_unbilled, "ok none", capability="unbilled"),
}
