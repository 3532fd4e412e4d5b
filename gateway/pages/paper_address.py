"""Page: postal address for paper bills, behind a link sent to the subscriber (R14)."""

import logging
import unicodedata
from dataclasses import dataclass

from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound
from flows.domain.records import AuditEntry, ChangeSet, Consent, MagicLink, Preference, Secret
from gateway.pages import magic_links
from gateway.pages.csrf import CsrfTokens
from gateway.pages.form_input import FormInput
from gateway.pages.link_form import LinkForm, LinkFormPage
from gateway.pages.page_request import PageRequest
from gateway.pages.sealed_token import TokenSealer
from menus.text.input_parsing import is_card_like

log = logging.getLogger("dialtree.pages")
MIN_CHARACTERS, MAX_CHARACTERS = 3, 200
"""Characters of an address."""
MAX_DECOMPOSED_CHARACTERS = 3 * MAX_CHARACTERS
"""Most characters before marks are joined to their letters; joining a long run of marks is slow."""
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
        if not await self._change_once(request, token, address):
            return magic_links.link_expired_page(request)
        return self.link_form.show_success(request, "page.address_done")

    async def _change_once(self, request: PageRequest, token: Secret, address: str) -> bool:
        """Switch to paper and store the address, once per link; True for a repeat of the very same address.

        The change has the link's own key and stores a keyed hash of the address: of two posts at the same
        moment one changes the address, and the other learns whether it was its own. The link is used up last,
        so a crash before that leaves it good for another try.
        """
        ledger, key = request.ports.ledger, self.csrf_tokens.keyed_hash("address", token)
        own_hash = self.csrf_tokens.keyed_hash("address is", token, address).encode()
        reply = await ledger.find_reply(key)
        if reply is None:
            link = await magic_links.find_link(request, token, "address")
            if link is None or not await _switch_to_paper(request, link, address):
                return False
            await ledger.commit(_build_change(request, link, key, address, own_hash))
            await ledger.use_link(token, "address", request.now)
            reply = await ledger.find_reply(key)
            log.info("pages.address_changed", extra={"operator": request.operator})
        return reply == own_hash


async def _switch_to_paper(request: PageRequest, link: MagicLink, address: str) -> bool:
    """Ask billing for paper, harmless to repeat; False when the account no longer exists."""
    try:
        await request.ports.billing.set_media(link.value, BillDestination("paper"))
        await request.ports.billing.set_postal_address(link.value, address)
    except NotFound:
        return False
    return True


def _build_change(
    request: PageRequest, link: MagicLink, key: str, address: str, keyed_address: bytes
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
        reply=keyed_address,
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
