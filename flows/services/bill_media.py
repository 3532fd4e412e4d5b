"""Presentation media: the one switch behind e-invoicing and paper."""

from flows.domain.actions import Ask, Outcome
from flows.domain.records import Media
from menus.model.facts import Number


async def switch(ask: Ask, media: Media, flow: str) -> Outcome:
    """Switch the account, record the consent and confirm by SMS; `already` when it was so before.

    What it was is remembered first, so that a retry after a crash answers as the first try would have.
    """
    known, world = ask.known(), ask.world
    line = {"line": Number(ask.line)}
    was = await world.ledger.commit(ask.change(part="/was", outcome=await world.billing.media(known.account)))
    if was == media:
        return Outcome("already", line)
    await world.billing.set_media(known.account, media)
    consent = ask.consent("e-bill", f"{flow}.confirm", given=media == "email")
    notice = ask.sms(f"{flow}.notice", line)
    return Outcome(await world.ledger.commit(ask.change(consents=(consent,), notices=(notice,))), line)
