"""Page: confirm an e-mail address through the link sent to it (T7, T8)."""

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
        """Show the page the link leads to; viewing confirms nothing, as mail scanners follow links."""
        return self.again(visit, "", 200)

    async def submit(self, visit: Visit) -> web.Response:
        """Use the link, once."""
        token = magic_links.typed(visit)
        link = await magic_links.opened(visit, token, "email")
        if link is None:
            return magic_links.gone(visit)
        text = await self._confirmed(visit, token, link)
        return responses.page(visit, "page.confirm_title", html.done(visit, text))

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return magic_links.asked(visit, "page.confirm_title", "page.confirm_send", text, status)

    async def _confirmed(self, visit: Visit, token: Secret, link: Link) -> str:
        """Validate the address if it is still the one chosen; return the name of the text to show.

        The link is used up last: a crash before that leaves it good for another try, which changes nothing
        twice, as the change has the link's own key.
        """
        ledger = visit.world.ledger
        preference = await ledger.preference(link.operator, link.subscription)
        is_current = preference.email == link.value
        if is_current:
            await ledger.commit(self._change(visit, token, link))
            await _switched(visit, link)
        await ledger.use_link(token, "email", visit.now)
        log.info("pages.email_confirmed", extra={"operator": visit.operator})
        return "page.confirm_done" if is_current else "page.confirm_other"

    def _change(self, visit: Visit, token: Secret, link: Link) -> Change:
        """Return the change; it names the address, so that another one chosen meanwhile is not validated."""
        key = self.forms.mark("confirm", token)
        preference = Preference(email=link.value, email_validated=True)
        entry = Deed(link.operator, link.subscription, "web.confirm", visit.now, "web", "email")
        return Change(key, link.operator, link.subscription, visit.now, preference=preference, deeds=(entry,))


async def _switched(visit: Visit, link: Link) -> None:
    """Switch bills to e-mail where the link ends a registration (T8, T9)."""
    registration = await visit.world.ledger.registered(link.operator, link.subscription)
    if registration:
        await visit.world.billing.set_media(registration.account, "email")
