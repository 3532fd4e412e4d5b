"""Page: file behind a magic link and a one-time code sent separately (B4, B8, F6)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from flows.domain.failures import NotFound
from flows.domain.records import Deed, Link, LinkPurpose, Secret
from flows.selfcare import code
from flows.services import file_links
from gateway.pages import html, magic_links, responses
from gateway.pages.action_request import ask
from gateway.pages.file_builder import Binder
from gateway.pages.html import Input
from gateway.pages.page_request import Visit
from gateway.pages.sealed_token import Envelope
from menus.model.facts import Number
from menus.text.input_parsing import digits_of

log = logging.getLogger("dialtree.pages")
PURPOSE: LinkPurpose = "file"
SLIP = "slip"
"""The field that stands for the link's token, encrypted for this visitor."""
INPUTS = (Input("code", 12, 'type="text" inputmode="numeric" autocomplete="one-time-code"'),)


@dataclass(frozen=True, slots=True)
class FilePage:
    """`/{operator}/file`: first the link's token, then the code, then the file."""

    envelope: Envelope = field(repr=False)
    token: Callable[[], str] = field(repr=False)
    binder: Binder = field(default_factory=Binder, repr=False)

    async def view(self, visit: Visit) -> web.Response:
        """Show the page the link leads to; viewing it sends no code."""
        return self.again(visit, "", 200)

    async def submit(self, visit: Visit) -> web.Response:
        """Answer a token with the form for the code, or a code with the file."""
        slip = visit.fields.get(SLIP, "")
        return await self._given(visit, slip) if slip else await self._asked(visit)

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return magic_links.asked(visit, "page.file_title", "page.file_send", text, status)

    async def _asked(self, visit: Visit) -> web.Response:
        """Exchange the posted token for the code form, and send the code."""
        token = magic_links.typed(visit)
        link = await magic_links.opened(visit, token, PURPOSE)
        file = _named(link)
        if file is None:
            return magic_links.gone(visit)
        await self._send(visit, file)
        return self._form(visit, file, self.envelope.close((token.value,), _label(visit)))

    async def _send(self, visit: Visit, file: file_links.File) -> None:
        """Send a code to the line the link was made for; none to a number that has no subscriber any more."""
        try:
            subscriber = await visit.world.billing.subscriber(file.number)
        except NotFound:
            return
        await code.send(ask(visit, subscriber, PURPOSE, f"file/{self.token()}"))

    async def _given(self, visit: Visit, slip: str) -> web.Response:
        """Redeem the code and send the file; show the form again for a wrong code."""
        words = self.envelope.open(slip, _label(visit))
        link = await magic_links.opened(visit, Secret(words[0]), PURPOSE) if words else None
        file = _named(link)
        if link is None or file is None:
            return magic_links.gone(visit)
        if not await _redeemed(visit, file.number):
            return self._form(visit, file, slip, "page.refused")
        return await self._opened(visit, link, file)

    async def _opened(self, visit: Visit, link: Link, file: file_links.File) -> web.Response:
        """Send the file; it is built first, so that only a file that exists uses up an opening."""
        built = await self.binder.sheet(visit, file)
        if await visit.world.ledger.use_link(link.token, PURPOSE, visit.now) is None:
            return magic_links.gone(visit)
        entry = Deed(visit.operator, file.number, f"web.file.{file.kind}", visit.now, "web", file.bill)
        visit.world.ledger.note(entry)
        log.info("pages.file_opened", extra={"operator": visit.operator})
        return responses.attachment(built.data, built.name, built.suffix)

    def _form(self, visit: Visit, file: file_links.File, slip: str, wrong: str = "") -> web.Response:
        """Show the form for the code."""
        prompt = f"<p>{visit.words('page.file_code', {'line': Number(file.number)})}</p>"
        form = html.form(visit, INPUTS, "page.file_download", wrong=bool(wrong), more=html.hidden(SLIP, slip))
        return responses.page(visit, "page.file_title", html.alert(visit, wrong, INPUTS) + prompt + form)


def _named(link: Link | None) -> file_links.File | None:
    """Return the file a link leads to; None for no link or an unreadable one."""
    try:
        return file_links.named(link.value) if link else None
    except ValueError:
        log.error("pages.link_unreadable")
        return None


async def _redeemed(visit: Visit, number: str) -> bool:
    """Redeem the posted code; return whether it was right."""
    typed = Secret("".join(digits_of(visit.fields.get("code", "")).split()))
    result = await visit.world.codes.redeem(visit.operator, number, PURPOSE, typed, visit.now, visit.source)
    return result == "ok"


def _label(visit: Visit) -> str:
    """Return a seal label of this page and visitor."""
    return f"file {visit.path} {visit.form_token}"
