"""Files behind links: the link alone shows nothing, a code sent apart opens it (B4, B8, F6)."""

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
"""The field that stands for the link, sealed for this visitor."""
INPUTS = (Input("code", 12, 'type="text" inputmode="numeric" autocomplete="one-time-code"'),)


@dataclass(frozen=True, slots=True)
class FilePage:
    """`/{operator}/file`: first the link's token, then the code, then the file."""

    envelope: Envelope = field(repr=False)
    token: Callable[[], str] = field(repr=False)
    binder: Binder = field(default_factory=Binder, repr=False)

    async def view(self, visit: Visit) -> web.Response:
        """The page the link leads to; looking at it sends no code."""
        return self.again(visit, "", 200)

    async def submit(self, visit: Visit) -> web.Response:
        """The token, answered with the form for the code; or the code, answered with the file."""
        slip = visit.fields.get(SLIP, "")
        return await self._given(visit, slip) if slip else await self._asked(visit)

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """The first page, with what went wrong."""
        return magic_links.asked(visit, "page.file_title", "page.file_send", text, status)

    async def _asked(self, visit: Visit) -> web.Response:
        token = magic_links.typed(visit)
        link = await magic_links.opened(visit, token, PURPOSE)
        file = _named(link)
        if file is None:
            return magic_links.gone(visit)
        await self._send(visit, file)
        return self._form(visit, file, self.envelope.close((token.value,), _label(visit)))

    async def _send(self, visit: Visit, file: file_links.File) -> None:
        """A code to the line the link was made for; a number that is nobody's any more gets none."""
        try:
            person = await visit.world.billing.subscriber(file.number)
        except NotFound:
            return
        await code.send(ask(visit, person, PURPOSE, f"file/{self.token()}"))

    async def _given(self, visit: Visit, slip: str) -> web.Response:
        words = self.envelope.open(slip, _label(visit))
        link = await magic_links.opened(visit, Secret(words[0]), PURPOSE) if words else None
        file = _named(link)
        if link is None or file is None:
            return magic_links.gone(visit)
        if not await _redeemed(visit, file.number):
            return self._form(visit, file, slip, "page.refused")
        return await self._opened(visit, link, file)

    async def _opened(self, visit: Visit, link: Link, file: file_links.File) -> web.Response:
        """The file is made first: an opening is only used up by a file that is there."""
        sheet = await self.binder.sheet(visit, file)
        if await visit.world.ledger.use_link(link.token, PURPOSE, visit.now) is None:
            return magic_links.gone(visit)
        read = Deed(visit.operator, file.number, f"web.file.{file.kind}", visit.now, "web", file.bill)
        visit.world.ledger.note(read)
        log.info("file opened", extra={"operator": visit.operator})
        return responses.attachment(sheet.data, sheet.name, sheet.suffix)

    def _form(self, visit: Visit, file: file_links.File, slip: str, wrong: str = "") -> web.Response:
        told = f"<p>{visit.words('page.file_code', {'line': Number(file.number)})}</p>"
        form = html.form(visit, INPUTS, "page.file_download", wrong=bool(wrong), more=html.hidden(SLIP, slip))
        return responses.page(visit, "page.file_title", html.alert(visit, wrong, INPUTS) + told + form)


def _named(link: Link | None) -> file_links.File | None:
    """The file a link leads to; None when it leads to none."""
    try:
        return file_links.named(link.value) if link else None
    except ValueError:
        log.error("link not readable")
        return None


async def _redeemed(visit: Visit, number: str) -> bool:
    given = Secret("".join(digits_of(visit.fields.get("code", "")).split()))
    told = await visit.world.codes.redeem(visit.operator, number, PURPOSE, given, visit.now, visit.source)
    return told == "ok"


def _label(visit: Visit) -> str:
    return f"file {visit.path} {visit.form_token}"
