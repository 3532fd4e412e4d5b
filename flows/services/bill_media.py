"""Bill presentation media: switch an account between paper bills and e-invoicing."""

from flows.domain.actions import ActionRequest, Outcome
from flows.domain.records import BillMedia
from menus.model.facts import PhoneNumber


async def switch_media(request: ActionRequest, media: BillMedia, flow: str) -> Outcome:
    """Switch the account, record the consent and confirm by SMS; `already` when it was set before.

    The previous media is committed first, so that a retry after a crash returns what the first try would.
    """
    subscriber, world = request.require_subscriber(), request.ports
    line = {"line": PhoneNumber(request.line)}
    current = await world.billing.get_media(subscriber.account)
    previous = await world.ledger.commit(request.build_change(part="/was", outcome=current))
    if previous == media:
        return Outcome("already", line)
    await world.billing.set_media(subscriber.account, media)
    consent = request.build_consent("e-bill", f"{flow}.confirm", is_given=media == "email")
    notice = request.build_sms(f"{flow}.notice", line)
    return Outcome(
        await world.ledger.commit(request.build_change(consents=(consent,), messages=(notice,))), line
    )
