"""Going back to paper, to the address on file or to another one typed behind a link."""

from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.services.bill_media import switch
from menus.model.facts import Text

LINK_LIFE = timedelta(hours=72)


async def revert(ask: Ask) -> Outcome:
    """Paper bills to the address on file (R14); the e-bill consent is withdrawn."""
    return await switch(ask, "paper", "paper")


async def link(ask: Ask) -> Outcome:
    """A link by SMS to a page that takes another address: typing one on a keypad is painful."""
    bound = ask.link("address", ask.known().account, LINK_LIFE)
    url = f"{ask.world.links_url}/address#{bound.token.value}"
    notice = ask.sms("paper.link_notice", {"link": Text(url)}, "reply", LINK_LIFE)
    return Outcome(await ask.world.ledger.commit(ask.change(links=(bound,), notices=(notice,))))


ACTIONS = {"paper.revert": action(revert, "ok already"), "paper.link": action(link, "ok")}
