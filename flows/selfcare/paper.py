"""Back to paper bills, to the postal address on file or another one entered on a web page."""

from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.services.bill_media import switch
from menus.model.facts import Text

LINK_LIFE = timedelta(hours=72)


async def revert(ask: Ask) -> Outcome:
    """Switch to paper bills to the address on file and withdraw the e-bill consent (R14)."""
    return await switch(ask, "paper", "paper")


async def link(ask: Ask) -> Outcome:
    """Send an SMS link to a page that takes another postal address, hard to enter on a keypad."""
    magic_link = ask.link("address", ask.known().account, LINK_LIFE)
    url = f"{ask.world.links_url}/address#{magic_link.token.value}"
    notice = ask.sms("paper.link_notice", {"link": Text(url)}, "reply", LINK_LIFE)
    return Outcome(await ask.world.ledger.commit(ask.change(links=(magic_link,), notices=(notice,))))


ACTIONS = {"paper.revert": action(revert, "ok already"), "paper.link": action(link, "ok")}
