"""Page: confirm an e-mail address through the link sent to it (T7, T8)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound
from flows.domain.records import AuditEntry, ChangeSet, MagicLink, OutboundMessage, Preference, Secret
from flows.services.address_notices import build_email_notice
from flows.services.bill_media import ChangeResult, attempt_change
from flows.services.bounced_bills import BouncedBills
from flows.services.email_validation import parse_link_value
from gateway.pages import magic_links
from gateway.pages.action_request import address_request
from gateway.pages.csrf import CsrfTokens
from gateway.pages.page_request import PageRequest

log = logging.getLogger("dialtree.pages")
ADDRESS_TEXT, OTHER_TEXT = "page.confirm_done", "page.confirm_other"
BILL_TEXTS: Mapping[ChangeResult, str] = {
    "made": "page.confirm_bills",
    "pending": "page.confirm_pending",
    "refused": "page.confirm_refused",
}
"""The page's text where the link ends a registration, by what billing did."""
NOTICE_TEXTS: Mapping[ChangeResult, str] = {
    "made": ADDRESS_TEXT,
    "pending": "page.confirm_notice_pending",
    "refused": "page.confirm_notice_kept",
}
"""The page's text where the address is for notices, by what billing did; the gateway sends those itself."""
VALIDATING_TEXTS = frozenset({*NOTICE_TEXTS.values(), BILL_TEXTS["made"], BILL_TEXTS["pending"]})


@dataclass(frozen=True, slots=True)
class ConfirmPage:
    """`/{operator}/confirm`."""

    csrf_tokens: CsrfTokens
    bounced_bills: BouncedBills = field(repr=False)

    async def view(self, request: PageRequest) -> web.Response:
        """Show the page the link leads to; viewing confirms nothing, as mail scanners follow links."""
        return self.show_form(request, "", 200)

    async def submit(self, request: PageRequest) -> web.Response:
        """Use the link, once; a second click is told the same."""
        token = magic_links.posted_token(request)
        link = await magic_links.find_link(request, token, "email")
        request = magic_links.in_language_of(request, link) if link else request
        answer = self._confirm_address(request, token, link) if link else self._earlier_text(request, token)
        text = await answer
        if not text:
            return magic_links.link_expired_page(request)
        return magic_links.show_success(request, "page.confirm_title", text)

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return magic_links.show_link_form(request, "page.confirm_title", "page.confirm_send", text, status)

    async def _earlier_text(self, request: PageRequest, token: Secret) -> str:
        """Return the name of the text that this link was answered with before; empty when it was not."""
        reply = await request.ports.ledger.find_reply(self._change_key(token))
        return (reply or b"").decode()

    async def _confirm_address(self, request: PageRequest, token: Secret, link: MagicLink) -> str:
        """Validate the address if it is still the one chosen; return the name of the text to show.

        Empty when the line has another owner. Billing is told first: an address it refuses for bills is not
        validated. The line is told by SMS. The link is used up last: a crash before that leaves it good for
        another try, which changes nothing twice, as the change has the link's own key.
        """
        ledger = request.ports.ledger
        preference = await ledger.get_preference(link.operator, link.subscription)
        address, line = parse_link_value(link.value)
        tell_billing = _give_notice_address if line else _switch_to_email
        text = await tell_billing(request, link) if preference.email == address else OTHER_TEXT
        if text in VALIDATING_TEXTS:
            change = self._build_change(request, token, link, text)
            notices = await _build_notices(request, link, preference, change.key)
            bills = await self._bills_to_resend(request, link)
            await ledger.commit(replace(change, messages=(*notices, *bills)))
        await ledger.use_link(token, "email", request.now)
        log.info("pages.email_confirmed", extra={"operator": request.operator})
        return text

    async def _bills_to_resend(self, request: PageRequest, link: MagicLink) -> tuple[OutboundMessage, ...]:
        """Return the mail with a bill that came back from the address before, to the confirmed one."""
        registration = await request.ports.ledger.find_registration(link.operator, link.subscription)
        if registration is None:
            return ()
        address, _ = parse_link_value(link.value)
        return await self.bounced_bills.build_again(request.ports, registration, address, request.now)

    def _build_change(self, request: PageRequest, token: Secret, link: MagicLink, text: str) -> ChangeSet:
        """Return the change; it names the address, so that another one chosen meanwhile is not validated."""
        preference = Preference(email=parse_link_value(link.value)[0], email_validated=True)
        entry = AuditEntry(link.operator, link.subscription, "web.confirm", request.now, "web", "email")
        return ChangeSet(
            self._change_key(token),
            link.operator,
            link.subscription,
            request.now,
            preference=preference,
            reply=text.encode(),
            audit_entries=(entry,),
        )

    def _change_key(self, token: Secret) -> str:
        return self.csrf_tokens.keyed_hash("confirm", token)


async def _build_notices(
    request: PageRequest, link: MagicLink, preference: Preference, key: str
) -> tuple[OutboundMessage, ...]:
    """Build the notice to the line whose address this is: the link's own, or the registered one."""
    address, line = parse_link_value(link.value)
    registration = await request.ports.ledger.find_registration(link.operator, link.subscription)
    asked = await address_request(request, link, line or (registration.line if registration else ""), key)
    return build_email_notice(asked, preference, address) if asked else ()


async def _switch_to_email(request: PageRequest, link: MagicLink) -> str:
    """Switch bills to e-mail where the link ends a registration (T8, T9); return the text's name."""
    registration = await request.ports.ledger.find_registration(link.operator, link.subscription)
    if registration is None:
        return ADDRESS_TEXT
    destination = BillDestination("email", link.value)
    change = request.ports.billing.set_media(registration.account, destination)
    return BILL_TEXTS[await attempt_change(change)]


async def _give_notice_address(request: PageRequest, link: MagicLink) -> str:
    """Give billing the address of a line's notices; bills stay as they are. Return the text's name.

    Empty when the line has another owner by now.
    """
    address, line = parse_link_value(link.value)
    try:
        subscriber = await request.ports.billing.get_subscriber(line)
    except NotFound:
        return ""
    if subscriber.id != link.subscription:
        return ""
    media = (await request.ports.billing.get_media(subscriber.account)).media
    change = request.ports.billing.set_media(subscriber.account, BillDestination(media, address))
    return NOTICE_TEXTS[await attempt_change(change)]
