"""The e-mail address for the bills, typed behind a link sent by SMS (T7); it waits for its validation (T8)."""

import logging
from dataclasses import dataclass, replace

from aiohttp import web

from flows.domain.failures import NotFound
from flows.domain.records import Change, Link, Registration, Secret, Subscriber
from flows.selfcare import registration
from gateway.pages import magic_links
from gateway.pages.action_request import ask
from gateway.pages.csrf import Forms
from gateway.pages.html import Input
from gateway.pages.link_form import Sheet, SheetPage
from gateway.pages.page_request import Visit
from gateway.pages.sealed_token import Envelope
from menus.model.facts import Email, Facts
from menus.text.input_parsing import as_email

log = logging.getLogger("dialtree.pages")
INPUT = Input("mailbox", 254, 'type="email" autocomplete="email" dir="ltr"')
TOLD = {"ok": "page.mailbox_done", "pending": "page.mailbox_sent"}
"""By the registration's outcome, what the page says; any other asks for patience."""


def page(forms: Forms, envelope: Envelope) -> SheetPage:
    """`/{operator}/mailbox`; its form is sealed in this envelope."""
    sheet = Sheet("mailbox", "page.mailbox_title", "page.mailbox_send", INPUT, envelope)
    return SheetPage(sheet, Mailbox(forms, sheet).written)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What is done with the address."""

    forms: Forms
    sheet: Sheet

    async def written(self, visit: Visit, token: Secret) -> web.Response:
        """What came of it; the form once more when it is no address."""
        address = as_email(visit.fields.get(INPUT.name, ""))
        if address is None:
            return self.sheet.again(visit, "page.mailbox_bad")
        outcome = await self._registered(visit, token, address)
        if outcome == "gone":
            return magic_links.gone(visit)
        if outcome not in TOLD:
            return self.sheet.again(visit, "page.mailbox_soon")
        return self.sheet.done(visit, TOLD[outcome])

    async def _registered(self, visit: Visit, token: Secret, address: str) -> str:
        """What became of the address, once per link; the very same again is told the same.

        Of two addresses posted at one moment the second is asked for patience, for letters are counted.
        The link is used up last: a crash before leaves it good for another try, which counts as a new one.
        """
        ledger, key = visit.world.ledger, self.forms.mark("mailbox", token)
        mine = self.forms.mark("mailbox is", token, address)
        kept = await ledger.reply(key)
        if kept is None:
            link = await magic_links.opened(visit, token, "mailbox")
            outcome = await _chosen(visit, link, address) if link else "gone"
            if link is None or outcome not in TOLD:
                return outcome
            await ledger.commit(_done(visit, link, key, f"{outcome} {mine}"))
            await ledger.use_link(token, "mailbox", visit.now)
            log.info("mailbox given", extra={"operator": visit.operator})
            kept = await ledger.reply(key)
        outcome, _, whose = (kept or b"").decode().partition(" ")
        return outcome if whose == mine else "gone"


async def _chosen(visit: Visit, link: Link, address: str) -> str:
    """Choose the address as on a screen, for the line the link was made for, while that is whose it was."""
    made = await visit.world.ledger.registered(link.operator, link.subscription)
    person = await _person(visit, made) if made else None
    if made is None or person is None or person.id != link.subscription:
        return "gone"
    facts: Facts = {"email": Email(address)}
    mine = ask(visit, person, key=f"mailbox/{visit.world.token()}/web.mailbox")
    wish = replace(mine, caller=made.by, subject=made.line, proofs=("link",), facts=facts)
    return (await registration.choose(wish)).name


async def _person(visit: Visit, made: Registration) -> Subscriber | None:
    try:
        return await visit.world.billing.subscriber(made.line)
    except NotFound:
        return None


def _done(visit: Visit, link: Link, key: str, reply: str) -> Change:
    return Change(key, link.operator, link.subscription, visit.now, reply=reply.encode())
