"""Page: confirm an e-mail address through the link sent to it (T7, T8)."""

import logging
from dataclasses import dataclass

from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.records import AuditEntry, ChangeSet, MagicLink, Preference, Secret
from gateway.pages import magic_links, responses
from gateway.pages.csrf import CsrfTokens
from gateway.pages.page_request import PageRequest

log = logging.getLogger("dialtree.pages")


@dataclass(frozen=True, slots=True)
class ConfirmPage:
    """`/{operator}/confirm`."""

    csrf_tokens: CsrfTokens

    async def view(self, request: PageRequest) -> web.Response:
        """Show the page the link leads to; viewing confirms nothing, as mail scanners follow links."""
        return self.show_form(request, "", 200)

    async def submit(self, request: PageRequest) -> web.Response:
        """Use the link, once."""
        token = magic_links.posted_token(request)
        link = await magic_links.find_link(request, token, "email")
        if link is None:
            return magic_links.link_expired_page(request)
        text = await self._confirm_address(request, token, link)
        return responses.success_page(request, "page.confirm_title", text)

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return magic_links.show_link_form(request, "page.confirm_title", "page.confirm_send", text, status)

    async def _confirm_address(self, request: PageRequest, token: Secret, link: MagicLink) -> str:
        """Validate the address if it is still the one chosen; return the name of the text to show.

        The link is used up last: a crash before that leaves it good for another try, which changes nothing
        twice, as the change has the link's own key.
        """
        ledger = request.ports.ledger
        preference = await ledger.get_preference(link.operator, link.subscription)
        is_current = preference.email == link.value
        if is_current:
            await ledger.commit(self._build_change(request, token, link))
            await _switch_to_email(request, link)
        await ledger.use_link(token, "email", request.now)
        log.info("pages.email_confirmed", extra={"operator": request.operator})
        return "page.confirm_done" if is_current else "page.confirm_other"

    def _build_change(self, request: PageRequest, token: Secret, link: MagicLink) -> ChangeSet:
        """Return the change; it names the address, so that another one chosen meanwhile is not validated."""
        key = self.csrf_tokens.keyed_hash("confirm", token)
        preference = Preference(email=link.value, email_validated=True)
        entry = AuditEntry(link.operator, link.subscription, "web.confirm", request.now, "web", "email")
        return ChangeSet(
            key, link.operator, link.subscription, request.now, preference=preference, audit_entries=(entry,)
        )


async def _switch_to_email(request: PageRequest, link: MagicLink) -> None:
    """Switch bills to e-mail where the link ends a registration (T8, T9)."""
    registration = await request.ports.ledger.find_registration(link.operator, link.subscription)
    if registration:
        destination = BillDestination("email", link.value)
        await request.ports.billing.set_media(registration.account, destination)
