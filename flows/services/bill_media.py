"""Bill presentation media: switch an account between paper bills and e-invoicing."""

from flows.domain.actions import ActionRequest, Outcome
from flows.domain.bill_delivery import BillDestination
from flows.services.email_validation import email_of
from menus.model.facts import PhoneNumber

OTHER_DESTINATION = "other"
"""Stored as the earlier destination where bills did not go to the wanted one."""


async def switch_media(request: ActionRequest, destination: BillDestination, flow: str) -> Outcome:
    """Switch the account, record the consent and confirm by SMS; `already` when bills went there before.

    Whether they did is committed first, so that a retry after a crash returns what the first try would.
    """
    subscriber, world = request.require_subscriber(), request.ports
    line = {"line": PhoneNumber(request.line)}
    is_met = destination.is_met_by(await world.billing.get_media(subscriber.account))
    earlier = destination.media if is_met else OTHER_DESTINATION
    if await world.ledger.commit(request.build_change(part="/was", outcome=earlier)) == destination.media:
        return Outcome("already", line)
    await world.billing.set_media(subscriber.account, destination)
    consent = request.build_consent("e-bill", f"{flow}.confirm", is_given=destination.media == "email")
    notice = request.build_sms(f"{flow}.notice", line)
    return Outcome(
        await world.ledger.commit(request.build_change(consents=(consent,), messages=(notice,))), line
    )


async def email_destination(request: ActionRequest) -> BillDestination:
    """Return the subscriber's validated e-mail address as where bills go; without one billing's own stays."""
    subscriber = request.require_subscriber()
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    address, is_validated = email_of(preference, subscriber)
    return BillDestination("email", address if is_validated else "")
