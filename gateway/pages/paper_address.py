"""Page: postal address for paper bills, behind a link sent to the subscriber (R14)."""

import logging
import unicodedata
from dataclasses import dataclass

from aiohttp import web

from flows.domain.failures import NotFound
from flows.domain.records import Change, Consent, Deed, Link, Preference, Secret
from gateway.pages import magic_links
from gateway.pages.csrf import Forms
from gateway.pages.html import Input
from gateway.pages.link_form import Sheet, SheetPage
from gateway.pages.page_request import Visit
from gateway.pages.sealed_token import Envelope
from menus.text.input_parsing import is_card_like

log = logging.getLogger("dialtree.pages")
LEAST, MOST = 3, 200
"""Characters of an address."""
INPUT = Input("address", MOST, 'autocomplete="street-address"', lines=3)


def page(forms: Forms, envelope: Envelope) -> SheetPage:
    """Build `/{operator}/address`; its form is sealed by this sealer."""
    link_form = Sheet("address", "page.address_title", "page.address_send", INPUT, envelope)
    return SheetPage(link_form, Address(forms, link_form).written)


@dataclass(frozen=True, slots=True)
class Address:
    """Stores the address that was entered."""

    forms: Forms
    sheet: Sheet

    async def written(self, visit: Visit, token: Secret) -> web.Response:
        """Store the address and show the result; show the form again when it is no address."""
        address = as_address(visit.fields.get(INPUT.name, ""))
        if address is None:
            return self.sheet.again(visit, "page.address_bad")
        if not await self._changed(visit, token, address):
            return magic_links.gone(visit)
        return self.sheet.done(visit, "page.address_done")

    async def _changed(self, visit: Visit, token: Secret, address: str) -> bool:
        """Switch to paper and store the address, once per link; True for a repeat of the very same address.

        The change has the link's own key and stores a keyed hash of the address: of two posts at the same
        moment one changes the address, and the other learns whether it was its own. The link is used up last,
        so a crash before that leaves it good for another try.
        """
        ledger, key = visit.world.ledger, self.forms.mark("address", token)
        own_hash = self.forms.mark("address is", token, address).encode()
        reply = await ledger.reply(key)
        if reply is None:
            link = await magic_links.opened(visit, token, "address")
            if link is None or not await _on_paper(visit, link):
                return False
            await ledger.commit(_change(visit, link, key, address, own_hash))
            await ledger.use_link(token, "address", visit.now)
            reply = await ledger.reply(key)
            log.info("pages.address_changed", extra={"operator": visit.operator})
        return reply == own_hash


async def _on_paper(visit: Visit, link: Link) -> bool:
    """Ask billing for paper, harmless to repeat; False when the account no longer exists."""
    try:
        await visit.world.billing.set_media(link.value, "paper")
    except NotFound:
        return False
    return True


def _change(visit: Visit, link: Link, key: str, address: str, mine: bytes) -> Change:
    consent = Consent(
        "e-bill", given=False, text="page.address_title", language=visit.language, channel="web", proof="link"
    )
    return Change(
        key,
        link.operator,
        link.subscription,
        visit.now,
        preference=Preference(address=address),
        consents=(consent,),
        reply=mine,
        deeds=(Deed(link.operator, link.subscription, "web.address", visit.now, "web", "paper"),),
    )


def as_address(text: str) -> str | None:
    """Return the address on one line, its lines joined by commas; None for 2 characters, 201, or a control."""
    lines = (" ".join(line.split(" ")).strip() for line in text.replace("\r\n", "\n").split("\n"))
    address = unicodedata.normalize("NFC", ", ".join(filter(None, lines)))
    fits = LEAST <= len(address) <= MOST and not is_card_like(address)
    return address if fits and not any(unicodedata.category(letter) in REFUSED for letter in address) else None


REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories no postal address needs: controls, invisible marks, line separators, non-characters."""
