"""Sheets: a form behind a link. The link's token is posted once; what the form carries is a slip, sealed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from flows.domain.records import LinkPurpose, Secret
from gateway.pages import html, magic_links, responses
from gateway.pages.html import Input
from gateway.pages.page_request import Visit
from gateway.pages.sealed_token import Envelope

SLIP = "slip"
"""The field that stands for the link, sealed for this visitor: its token is never written into a page."""
SLIP_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One field to fill in, for whoever has a link of this purpose."""

    purpose: LinkPurpose
    title: str
    button: str
    input: Input
    envelope: Envelope = field(repr=False)

    def asked(self, visit: Visit, text: str = "", status: int = 200) -> web.Response:
        """The page the link leads to, with what went wrong."""
        return magic_links.asked(visit, self.title, "page.go_on", text, status)

    async def exchanged(self, visit: Visit) -> web.Response:
        """The form, for the token posted; the link is not used by that."""
        token = magic_links.typed(visit)
        if await magic_links.opened(visit, token, self.purpose) is None:
            return magic_links.gone(visit)
        until = visit.now + SLIP_LIFE
        return self.form(visit, self.envelope.close((until.isoformat(), token.value), _label(visit)))

    def token(self, visit: Visit) -> Secret | None:
        """The link's token the posted slip stands for, while it is good."""
        words = self.envelope.open(visit.fields.get(SLIP, ""), _label(visit))
        good = words and visit.now < datetime.fromisoformat(words[0])
        return Secret(words[1]) if words and good else None

    def again(self, visit: Visit, wrong: str) -> web.Response:
        """The form once more, with what is wrong with what was typed."""
        return self.form(visit, visit.fields.get(SLIP, ""), wrong)

    def form(self, visit: Visit, slip: str, wrong: str = "") -> web.Response:
        """The field, and the slip behind it."""
        alert = html.alert(visit, wrong, (self.input,))
        hidden = html.hidden(SLIP, slip)
        form = html.form(visit, (self.input,), self.button, wrong=bool(wrong), more=hidden)
        return responses.page(visit, self.title, alert + form)

    def done(self, visit: Visit, text: str) -> web.Response:
        """Good news."""
        return responses.page(visit, self.title, html.done(visit, text))


@dataclass(frozen=True, slots=True)
class SheetPage:
    """The page of a sheet: first the link's token, then what the form carries."""

    sheet: Sheet
    written: Callable[[Visit, Secret], Awaitable[web.Response]]
    """Takes what was written, for the link whose token the slip stood for."""

    async def view(self, visit: Visit) -> web.Response:
        """The page the link leads to."""
        return self.sheet.asked(visit)

    async def submit(self, visit: Visit) -> web.Response:
        """The token, answered with the form; or the form."""
        if not visit.fields.get(SLIP):
            return await self.sheet.exchanged(visit)
        token = self.sheet.token(visit)
        return magic_links.gone(visit) if token is None else await self.written(visit, token)

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """The first page, with what went wrong."""
        return self.sheet.asked(visit, text, status)


def _label(visit: Visit) -> str:
    return f"slip {visit.path} {visit.form_token}"
