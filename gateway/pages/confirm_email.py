"""Confirming an e-mail address: the link sent there is opened by its owner (T7, T8)."""

import logging
from dataclasses import dataclass

from aiohttp import web

from flows.domain.records import Change, Deed, Link, Preference, Secret
from gateway.pages import html, magic_links, responses
from gateway.pages.csrf import Forms
from gateway.pages.page_request import Visit

log = logging.getLogger("dialtree.pages")


@dataclass(frozen=True, slots=True)
class ConfirmPage:
    """`/{operator}/confirm`."""

    forms: Forms

    async def view(self, visit: Visit) -> web.Response:
        """The page the link leads to; looking at it confirms nothing (mail scanners look)."""
        return self.again(visit, "", 200)

    async def submit(self, visit: Visit) -> web.Response:
        """Use the link, once."""
        token = magic_links.typed(visit)
        link = await magic_links.opened(visit, token, "email")
        if link is None:
            return magic_links.gone(visit)
        told = await self._confirmed(visit, token, link)
        return responses.page(visit, "page.confirm_title", html.done(visit, told))

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """The first page, with what went wrong."""
        return magic_links.asked(visit, "page.confirm_title", "page.confirm_send", text, status)

    async def _confirmed(self, visit: Visit, token: Secret, link: Link) -> str:
        """Validate the address if it is still the one chosen; the text that says what became of it.

        The link is used up last: a crash before leaves it good for another try, which changes
        nothing twice, for the change has the link's own key.
        """
        ledger = visit.world.ledger
        kept = await ledger.preference(link.operator, link.subscription)
        told = "page.confirm_done" if kept.email == link.value else "page.confirm_other"
        if told == "page.confirm_done":
            await ledger.commit(self._change(visit, token, link))
            await _switched(visit, link)
        await ledger.use_link(token, "email", visit.now)
        log.info("email confirmed", extra={"operator": visit.operator})
        return told

    def _change(self, visit: Visit, token: Secret, link: Link) -> Change:
        """The address goes along: should another be chosen at this very moment, it is not validated instead."""
        key = self.forms.mark("confirm", token)
        preference = Preference(email=link.value, email_validated=True)
        deed = Deed(link.operator, link.subscription, "web.confirm", visit.now, "web", "email")
        return Change(key, link.operator, link.subscription, visit.now, preference=preference, deeds=(deed,))


async def _switched(visit: Visit, link: Link) -> None:
    """Bills come by e-mail from now on, where the link ends a registration (T8, T9)."""
    registered = await visit.world.ledger.registered(link.operator, link.subscription)
    if registered:
        await visit.world.billing.set_media(registered.account, "email")
