"""Page: enter the e-mail address for bills, behind a link sent by SMS (T7); validated afterwards (T8)."""

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
"""The page's text by the registration's outcome; any other outcome asks to try later."""


def page(forms: Forms, envelope: Envelope) -> SheetPage:
    """Build `/{operator}/mailbox`; its form is sealed by this sealer."""
    link_form = Sheet("mailbox", "page.mailbox_title", "page.mailbox_send", INPUT, envelope)
    return SheetPage(link_form, Mailbox(forms, link_form).written)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Registers the address that was entered."""

    forms: Forms
    sheet: Sheet

    async def written(self, visit: Visit, token: Secret) -> web.Response:
        """Register the address and show the result; show the form again when it is no address."""
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
        """Register the address once per link and return the outcome; the same address again gets the same.

        Of two addresses posted at one moment the second is asked to try later, as letters are counted. The link
        is used up last: a crash before that leaves it good for another try, which counts as a new one.
        """
        ledger, key = visit.world.ledger, self.forms.mark("mailbox", token)
        own_hash = self.forms.mark("mailbox is", token, address)
        reply = await ledger.reply(key)
        if reply is None:
            link = await magic_links.opened(visit, token, "mailbox")
            outcome = await _chosen(visit, link, address) if link else "gone"
            if link is None or outcome not in TOLD:
                return outcome
            await ledger.commit(_done(visit, link, key, f"{outcome} {own_hash}"))
            await ledger.use_link(token, "mailbox", visit.now)
            log.info("pages.email_entered", extra={"operator": visit.operator})
            reply = await ledger.reply(key)
        outcome, _, stored_hash = (reply or b"").decode().partition(" ")
        return outcome if stored_hash == own_hash else "gone"


async def _chosen(visit: Visit, link: Link, address: str) -> str:
    """Choose the address as on a screen, for the line the link was made for, while its owner is the same."""
    record = await visit.world.ledger.registered(link.operator, link.subscription)
    subscriber = await _person(visit, record) if record else None
    if record is None or subscriber is None or subscriber.id != link.subscription:
        return "gone"
    facts: Facts = {"email": Email(address)}
    own = ask(visit, subscriber, key=f"mailbox/{visit.world.token()}/web.mailbox")
    action_request = replace(own, caller=record.by, subject=record.line, proofs=("link",), facts=facts)
    return (await registration.choose(action_request)).name


async def _person(visit: Visit, made: Registration) -> Subscriber | None:
    try:
        return await visit.world.billing.subscriber(made.line)
    except NotFound:
        return None


def _done(visit: Visit, link: Link, key: str, reply: str) -> Change:
    return Change(key, link.operator, link.subscription, visit.now, reply=reply.encode())
