"""Reconciliation: compare one day's payments at the provider with our intents and with billing."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from flows.domain.actions import OperatorPorts
from flows.domain.failures import NotEligible, NotFound
from flows.domain.payment_ports import Payments
from flows.domain.payment_records import (
    BY_HAND,
    CALL_CARD,
    PaymentIntent,
    PaymentReport,
    PaymentResolution,
)
from flows.payments.checks import find_mismatch
from flows.payments.following import build_bill_payment
from flows.payments.payable import PaymentPorts, payment_ports

DifferenceKind = Literal["paid_not_booked", "booked_not_paid", "amount_differs", "paid_twice", "not_ours"]
"""`not_ours`: the provider names a payment that is not known here."""
DAY = timedelta(days=1)
MAX_INTENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class PaymentDifference:
    """One payment on which provider, gateway and billing do not agree."""

    kind: DifferenceKind
    payment: str
    """Our id, or the provider's where we have none."""
    state: str
    """State here; empty for a payment that is not ours."""


async def compare_day(ports: OperatorPorts, operator: str, day: date) -> list[PaymentDifference]:
    """Return the differences of a day (UTC). Billing is asked about every payment that is booked here.

    Cards in calls are left out: their connection lists none. What staff booked at billing by hand is under a
    key of their own there: its record counts.
    """
    found, start = payment_ports(ports), datetime.combine(day, time(), UTC)
    recent = await found.intents.list_intents(operator, (), start - DAY, MAX_INTENTS)
    intents = {each.id: each for each in recent}
    paid, next_day = await _paid_reports(found, recent, day), await _paid_reports(found, recent, day + DAY)
    by_hand = await _read_resolutions(found, operator, recent)
    differences = list(_paid_differences(paid, intents, by_hand))
    for intent in (
        each
        for each in recent
        if each.state == "booked" and each.provider != CALL_CARD and start <= each.created_at < start + DAY
    ):
        at_provider = any(each.intent_id == intent.id for each in (*paid, *next_day))
        at_billing = intent.id in by_hand or await found.booking.find_booking(
            build_bill_payment(intent, ports.now())
        )
        if not at_provider:
            differences.append(PaymentDifference("booked_not_paid", intent.id, intent.state))
        if not at_billing:
            differences.append(PaymentDifference("paid_not_booked", intent.id, intent.state))
    return differences + list(_paid_twice(paid, intents))


async def list_resolutions(ports: OperatorPorts, operator: str, day: date) -> list[PaymentResolution]:
    """Return what staff did by hand about the payments begun on a day (UTC)."""
    found, start = payment_ports(ports), datetime.combine(day, time(), UTC)
    recent = await found.intents.list_intents(operator, (), start, MAX_INTENTS)
    begun = [each for each in recent if each.created_at < start + DAY]
    return [*(await _read_resolutions(found, operator, begun)).values()]


async def _read_resolutions(
    found: PaymentPorts, operator: str, intents: Sequence[PaymentIntent]
) -> dict[str, PaymentResolution]:
    """Return what staff recorded about payments and still holds, by the payment's id."""
    ended = [each for each in intents if each.reason == BY_HAND]
    records = {each.id: await found.intents.find_resolution(operator, each.id) for each in ended}
    states = {each.id: each.state for each in ended}
    return {key: each for key, each in records.items() if each is not None and each.state == states[key]}


async def _paid_reports(
    found: PaymentPorts, intents: Sequence[PaymentIntent], day: date
) -> list[PaymentReport]:
    """Return the day's paid payments as the provider lists them; asked about one by one where it lists none."""
    reports: list[PaymentReport] = []
    for provider in found.providers:
        try:
            reports += [each async for each in provider.list_day(day)]
        except NotEligible:
            own = [each for each in intents if each.provider == provider.name and each.created_at.date() == day]
            reports += [each for intent in own if (each := await _ask_provider(provider, intent))]
    return [each for each in reports if each.state == "paid"]


async def _ask_provider(provider: Payments, intent: PaymentIntent) -> PaymentReport | None:
    try:
        return await provider.ask(intent)
    except NotFound:
        return None


def _paid_differences(
    paid: Sequence[PaymentReport],
    intents: dict[str, PaymentIntent],
    by_hand: dict[str, PaymentResolution],
) -> Iterator[PaymentDifference]:
    """Yield what the provider has and we do not; the provider's own refund is always of the whole amount."""
    for report in paid:
        intent = intents.get(report.intent_id)
        if intent is None:
            yield PaymentDifference("not_ours", report.reference, "")
        elif intent.id in by_hand and intent.state != "failed":
            if by_hand[intent.id].amount != report.amount:
                yield PaymentDifference("amount_differs", intent.id, intent.state)
        elif intent.state != "refunded" and find_mismatch(intent, report) in ("amount", "currency"):
            yield PaymentDifference("amount_differs", intent.id, intent.state)
        elif intent.state not in ("booked", "refunded"):
            yield PaymentDifference("paid_not_booked", intent.id, intent.state)


def _paid_twice(
    paid: Sequence[PaymentReport], intents: dict[str, PaymentIntent]
) -> Iterator[PaymentDifference]:
    """Yield the payments of bills for which money was taken more than once and not given back."""
    by_bill: dict[tuple[str, str], list[PaymentIntent]] = defaultdict(list)
    for intent in (intents[each.intent_id] for each in paid if each.intent_id in intents):
        if intent.state != "refunded":
            by_bill[intent.account, intent.bill_id].append(intent)
    for several in by_bill.values():
        amounts = [each.amount for each in several]
        for intent in several[1:] if len(set(amounts)) < len(amounts) else ():
            yield PaymentDifference("paid_twice", intent.id, intent.state)
