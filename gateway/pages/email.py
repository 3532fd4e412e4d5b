"""Page: enter the e-mail address for bills, behind a link sent by SMS (T7); validated afterwards (T8)."""

import logging
from dataclasses import dataclass, replace

from aiohttp import web

from flows.domain.failures import NotFound
from flows.domain.records import ChangeSet, MagicLink, Secret, Subscriber
from flows.selfcare import registration
from flows.selfcare.notify_preference import NOTICE_LINK, change_notice_email
from gateway.pages import magic_links
from gateway.pages.action_request import build_action_request
from gateway.pages.csrf import CsrfTokens
from gateway.pages.form_input import FormInput
from gateway.pages.link_form import LinkForm, LinkFormPage
from gateway.pages.page_request import PageRequest
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Email, Facts
from menus.text.input_parsing import parse_email

log = logging.getLogger("dialtree.pages")
EMAIL_INPUT = FormInput("mailbox", 254, {"type": "email", "autocomplete": "email", "dir": "ltr"})
RESULT_TEXTS = {"ok": "page.mailbox_done", "pending": "page.mailbox_sent"}
"""The page's text by the registration's outcome; any other outcome asks to try later."""


def build_page(csrf_tokens: CsrfTokens, token_sealer: TokenSealer) -> LinkFormPage:
    """Build `/{operator}/mailbox`; its form is sealed by this sealer."""
    link_form = LinkForm("mailbox", "page.mailbox_title", "page.mailbox_send", EMAIL_INPUT, token_sealer)
    return LinkFormPage(link_form, EmailForm(csrf_tokens, link_form).submit_email)


@dataclass(frozen=True, slots=True)
class EmailForm:
    """Registers the address that was entered."""

    csrf_tokens: CsrfTokens
    link_form: LinkForm

    async def submit_email(self, request: PageRequest, token: Secret) -> web.Response:
        """Register the address and show the result; show the form again when it is no address."""
        address = parse_email(request.form_fields.get(EMAIL_INPUT.name, ""))
        if address is None:
            return self.link_form.show_again(request, "page.mailbox_bad")
        outcome = await self._register_once(request, token, address)
        if outcome == "gone":
            return magic_links.link_expired_page(request)
        if outcome not in RESULT_TEXTS:
            return self.link_form.show_again(request, "page.mailbox_soon")
        return self.link_form.show_success(request, RESULT_TEXTS[outcome])

    async def _register_once(self, request: PageRequest, token: Secret, address: str) -> str:
        """Register the address once per link and return the outcome; the same address again gets the same.

        Of two addresses posted at one moment the second is asked to try later, as letters are counted. The link
        is used up last: a crash before that leaves it good for another try, which counts as a new one.
        """
        ledger, key = request.ports.ledger, self.csrf_tokens.keyed_hash("mailbox", token)
        own_hash = self.csrf_tokens.keyed_hash("mailbox is", token, address)
        reply = await ledger.find_reply(key)
        if reply is None:
            link = await magic_links.find_link(request, token, "mailbox")
            outcome = await _choose_email(request, link, address) if link else "gone"
            if link is None or outcome not in RESULT_TEXTS:
                return outcome
            await ledger.commit(_build_change(request, link, key, f"{outcome} {own_hash}"))
            await ledger.use_link(token, "mailbox", request.now)
            log.info("pages.email_entered", extra={"operator": request.operator})
            reply = await ledger.find_reply(key)
        outcome, _, stored_hash = (reply or b"").decode().partition(" ")
        return outcome if stored_hash == own_hash else "gone"


async def _choose_email(request: PageRequest, link: MagicLink, address: str) -> str:
    """Choose the address as on a screen, for the line the link was made for, while its owner is the same."""
    if link.value.startswith(NOTICE_LINK):
        return await _choose_notice_email(request, link, address)
    record = await request.ports.ledger.find_registration(link.operator, link.subscription)
    subscriber = await _find_subscriber(request, record.line) if record else None
    if record is None or subscriber is None or subscriber.id != link.subscription:
        return "gone"
    facts: Facts = {"email": Email(address)}
    own = build_action_request(request, subscriber, key=f"mailbox/{request.ports.random_token()}/web.mailbox")
    action_request = replace(own, caller=record.by, subject=record.line, proofs=("link",), facts=facts)
    return (await registration.choose_address(action_request)).name


async def _choose_notice_email(request: PageRequest, link: MagicLink, address: str) -> str:
    """Use the address for the line's notices once its owner has confirmed it; bills stay as they are (R4)."""
    subscriber = await _find_subscriber(request, link.value.removeprefix(NOTICE_LINK))
    if subscriber is None or subscriber.id != link.subscription:
        return "gone"
    own = build_action_request(request, subscriber, key=f"mailbox/{request.ports.random_token()}/web.notice")
    outcome = await change_notice_email(replace(own, proofs=("link",), input_text=address))
    return "pending" if outcome.name == "ok" else outcome.name


async def _find_subscriber(request: PageRequest, line: str) -> Subscriber | None:
    try:
        return await request.ports.billing.get_subscriber(line)
    except NotFound:
        return None


def _build_change(request: PageRequest, link: MagicLink, key: str, reply: str) -> ChangeSet:
    return ChangeSet(key, link.operator, link.subscription, request.now, reply=reply.encode())
