"""Bill presentation media: switch an account between paper bills and e-invoicing."""

from flows.domain.actions import Ask, Outcome
from flows.domain.records import Media
from menus.model.facts import Number


async def switch(ask: Ask, media: Media, flow: str) -> Outcome:
    """Switch the account, record the consent and confirm by SMS; `already` when it was set before.

    The previous media is committed first, so that a retry after a crash returns what the first try would.
    """
    subscriber, world = ask.known(), ask.world
    line = {"line": Number(ask.line)}
    current = await world.billing.media(subscriber.account)
    previous = await world.ledger.commit(ask.change(part="/was", outcome=current))
    if previous == media:
        return Outcome("already", line)
    await world.billing.set_media(subscriber.account, media)
    consent = ask.consent("e-bill", f"{flow}.confirm", given=media == "email")
    notice = ask.sms(f"{flow}.notice", line)
    return Outcome(await world.ledger.commit(ask.change(consents=(consent,), notices=(notice,))), line)
