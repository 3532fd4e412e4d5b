"""Page: postal address for paper bills, behind a link sent to the subscriber (R14)."""

import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from aiohttp import web

from flows.domain.failures import NotEligible, NotFound
from flows.domain.records import AuditEntry, ChangeSet, Consent, MagicLink, Preference, Secret
from flows.selfcare.paper import parse_address_link
from flows.services import tickets
from flows.services.address_notices import build_postal_notice
from flows.services.bill_media import ChangeResult, send_paper_to
from gateway.pages import magic_links
from gateway.pages.action_request import address_request
from gateway.pages.csrf import CsrfTokens
from gateway.pages.form_input import FormInput
from gateway.pages.link_form import LinkForm, LinkFormPage
from gateway.pages.page_request import PageRequest
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Facts, Text
from menus.text.input_parsing import is_card_like

log = logging.getLogger("dialtree.pages")
MIN_CHARACTERS, MAX_CHARACTERS = 3, 200
"""Characters of an address."""
MAX_DECOMPOSED_CHARACTERS = 3 * MAX_CHARACTERS
"""Most characters before marks are joined to their letters; joining a long run of marks is slow."""
RESULT_TEXTS: Mapping[ChangeResult, str] = {
    "made": "page.address_done",
    "pending": "page.address_pending",
    "refused": "page.address_ticket",
}
"""The page's text by what billing did: with `refused` a ticket was opened."""
ADDRESS_INPUT = FormInput("address", MAX_CHARACTERS, {"autocomplete": "street-address"}, line_count=3)


def build_page(csrf_tokens: CsrfTokens, token_sealer: TokenSealer) -> LinkFormPage:
    """Build `/{operator}/address`; its form is sealed by this sealer."""
    link_form = LinkForm("address", "page.address_title", "page.address_send", ADDRESS_INPUT, token_sealer)
    return LinkFormPage(link_form, AddressForm(csrf_tokens, link_form).submit_address)


@dataclass(frozen=True, slots=True)
class AddressForm:
    """Stores the address that was entered."""

    csrf_tokens: CsrfTokens
    link_form: LinkForm

    async def submit_address(self, request: PageRequest, token: Secret) -> web.Response:
        """Store the address and show the result; show the form again when it is no address."""
        address = parse_address(request.form_fields.get(ADDRESS_INPUT.name, ""))
        if address is None:
            return self.link_form.show_again(request, "page.address_bad")
        stored = await self._change_once(request, token, address)
        if stored is None:
            return magic_links.link_expired_page(request)
        facts: Facts = {"reference": Text(stored.reference)}
        return self.link_form.show_success(request, RESULT_TEXTS[stored.result], facts)

    async def _change_once(self, request: PageRequest, token: Secret, address: str) -> "_StoredResult | None":
        """Switch to paper and store the address, once per link; a repeat of the same address is told alike.

        The change has the link's own key and stores a keyed hash of the address: of two posts at the same
        moment one changes the address, and the other learns whether it was its own. The link is used up last,
        so a crash before that leaves it good for another try.
        """
        ledger, key = request.ports.ledger, self.csrf_tokens.keyed_hash("address", token)
        own_hash = self.csrf_tokens.keyed_hash("address is", token, address)
        reply = await ledger.find_reply(key)
        if reply is None:
            link = await magic_links.find_link(request, token, "address")
            change = await _change_address(request, link, key, address, own_hash) if link else None
            if change is None:
                return None
            await ledger.commit(change)
            await ledger.use_link(token, "address", request.now)
            reply = await ledger.find_reply(key)
            log.info("pages.address_changed", extra={"operator": request.operator})
        stored = _parse_reply(reply or b"")
        return stored if stored.keyed_address == own_hash else None


@dataclass(frozen=True, slots=True)
class _StoredResult:
    """What a link's change stores: its result, its ticket's reference if any, a keyed hash of the address."""

    result: ChangeResult
    reference: str
    keyed_address: str

    def encode(self) -> bytes:
        return f"{self.result} {self.reference or '-'} {self.keyed_address}".encode()


def _parse_reply(reply: bytes) -> _StoredResult:
    """Return a stored result; earlier releases stored the keyed hash alone."""
    *words, keyed_address = reply.decode().split(" ")
    result, reference = words or ("made", "-")
    return _StoredResult(cast(ChangeResult, result), reference.strip("-"), keyed_address)


async def _change_address(
    request: PageRequest, link: MagicLink, key: str, address: str, keyed_address: str
) -> ChangeSet | None:
    """Ask billing for paper to the address, harmless to repeat; None when the account no longer exists.

    What billing cannot do becomes a ticket, in the change that is returned. The line is told of it by SMS.
    """
    account, line = parse_address_link(link.value)
    asked = await address_request(request, link, line, "address")
    try:
        result = await send_paper_to(request.ports.billing, account, address)
    except NotFound:
        return None
    ticket = tickets.build_ticket(asked, "address", detail=address) if asked and result == "refused" else None
    if result == "refused" and ticket is None:
        raise NotEligible("billing takes no postal address, and no line is known to open a ticket for")
    stored = _StoredResult(result, ticket.reference if ticket else "", keyed_address)
    preference = await request.ports.ledger.get_preference(link.operator, link.subscription)
    notices = build_postal_notice(replace(asked, key=key), preference) if asked else ()
    change = _build_change(request, link, key, address, stored)
    return replace(change, tickets=(ticket,) if ticket else (), messages=notices)


def _build_change(
    request: PageRequest, link: MagicLink, key: str, address: str, stored: _StoredResult
) -> ChangeSet:
    consent = Consent(
        "e-bill",
        is_given=False,
        text_name="page.address_title",
        language=request.language,
        channel="web",
        proof="link",
    )
    return ChangeSet(
        key,
        link.operator,
        link.subscription,
        request.now,
        preference=Preference(address=address),
        consents=(consent,),
        reply=stored.encode(),
        audit_entries=(
            AuditEntry(link.operator, link.subscription, "web.address", request.now, "web", "paper"),
        ),
    )


def parse_address(text: str) -> str | None:
    """Return the address on one line, its lines joined by commas; None for 2 characters, 201, or a control."""
    lines = (" ".join(line.split(" ")).strip() for line in text.replace("\r\n", "\n").split("\n"))
    joined = ", ".join(filter(None, lines))
    if len(joined) > MAX_DECOMPOSED_CHARACTERS:
        return None
    address = unicodedata.normalize("NFC", joined)
    fits = MIN_CHARACTERS <= len(address) <= MAX_CHARACTERS and not is_card_like(address)
    return (
        address
        if fits and not any(unicodedata.category(letter) in FORBIDDEN_CATEGORIES for letter in address)
        else None
    )


FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories no postal address needs: controls, invisible marks, line separators, non-characters."""
