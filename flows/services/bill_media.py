"""Bill presentation media: switch an account between paper bills and e-invoicing."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Literal, get_args

from flows.domain.actions import ActionRequest, Outcome
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import ChangePending, NotEligible
from flows.domain.ports import Billing
from flows.domain.records import Subscriber
from flows.services.email_validation import email_of
from menus.model.facts import Email, Facts, PhoneNumber, TextRef

ChangeResult = Literal["made", "pending", "refused"]
"""Whether billing has made a change, accepted it for later, or does not take it."""
CHANGE_RESULTS: tuple[ChangeResult, ...] = get_args(ChangeResult)
OTHER_DESTINATION = "other"
"""Stored as the earlier destination where bills did not go to the wanted one."""
CONSENT_PURPOSE = "e-bill"


async def switch_media(request: ActionRequest, destination: BillDestination, flow: str) -> Outcome:
    """Switch the account, record the consent and confirm by SMS; `already` when bills went there before.

    Equal requests at once from several sessions or channels are one consent and one confirmation.
    """
    subscriber, ports = request.require_subscriber(), request.ports
    line: Facts = {"line": PhoneNumber(request.line), **_delivery_facts(request, destination)}
    earlier, after_consent = await _read_basis(request, subscriber, destination)
    if earlier == destination.media:
        return Outcome("already", line)
    await ports.billing.set_media(subscriber.account, destination)
    consent = request.build_consent(CONSENT_PURPOSE, f"{flow}.confirm", is_given=destination.media == "email")
    notice = request.build_sms(f"{flow}.notice", line)
    change = request.build_change(consents=(consent,), messages=(notice,))
    return Outcome(await ports.ledger.commit(replace(change, after_consent=after_consent)), line)


def _delivery_facts(request: ActionRequest, destination: BillDestination) -> Facts:
    """Return who e-mails the bills and where to; `online` where no address is validated, so nobody does."""
    sender = request.menu.config.rules.bill_sender if destination.email else "online"
    return {"sender": TextRef(f"sender.{sender}"), "email": Email(destination.email)}


async def _read_basis(
    request: ActionRequest, subscriber: Subscriber, destination: BillDestination
) -> tuple[str, int]:
    """Return whether bills go to the destination, and the latest consent before that was read.

    They are committed first, so that a retry after a crash decides as the first try did.
    """
    ports = request.ports
    latest = await ports.ledger.latest_consent(subscriber.operator, subscriber.id, CONSENT_PURPOSE)
    is_met = destination.is_met_by(await ports.billing.get_media(subscriber.account))
    earlier = destination.media if is_met else OTHER_DESTINATION
    basis = await ports.ledger.commit(request.build_change(part="/was", outcome=f"{earlier} {latest}"))
    media, _, after_consent = basis.partition(" ")
    return media, int(after_consent or 0)


async def send_paper_to(billing: Billing, account: str, address: str) -> ChangeResult:
    """Deliver an account's bills on paper to an address; `refused` when billing cannot, and a person must."""
    results = (
        await attempt_change(billing.set_media(account, BillDestination("paper"))),
        await attempt_change(billing.set_postal_address(account, address)),
    )
    return max(results, key=CHANGE_RESULTS.index)


async def attempt_change(change: Awaitable[bool]) -> ChangeResult:
    """Return what became of a change at billing; NotFound and failures to answer are raised."""
    try:
        await change
    except ChangePending:
        return "pending"
    except NotEligible:
        return "refused"
    return "made"


async def email_destination(request: ActionRequest) -> BillDestination:
    """Return the subscriber's validated e-mail address as where bills go; without one billing's own stays."""
    subscriber = request.require_subscriber()
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    address, is_validated = email_of(preference, subscriber)
    return BillDestination("email", address if is_validated else "")
