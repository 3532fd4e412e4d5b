"""One-field form behind a magic link: the token is exchanged for an encrypted form field."""

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
"""The field with the link's token encrypted for this visitor: no page contains the token itself."""
SLIP_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form with one field, for holders of a link of this purpose."""

    purpose: LinkPurpose
    title: str
    button: str
    input: Input
    envelope: Envelope = field(repr=False)

    def asked(self, visit: Visit, text: str = "", status: int = 200) -> web.Response:
        """Show the page the link leads to, with an error text if any."""
        return magic_links.asked(visit, self.title, "page.go_on", text, status)

    async def exchanged(self, visit: Visit) -> web.Response:
        """Show the form for a posted token; this does not use up the link."""
        token = magic_links.typed(visit)
        if await magic_links.opened(visit, token, self.purpose) is None:
            return magic_links.gone(visit)
        expires_at = visit.now + SLIP_LIFE
        return self.form(visit, self.envelope.close((expires_at.isoformat(), token.value), _label(visit)))

    def token(self, visit: Visit) -> Secret | None:
        """Return the link's token from the posted field; None when it is invalid or older than 30 minutes."""
        words = self.envelope.open(visit.fields.get(SLIP, ""), _label(visit))
        is_current = words and visit.now < datetime.fromisoformat(words[0])
        return Secret(words[1]) if words and is_current else None

    def again(self, visit: Visit, wrong: str) -> web.Response:
        """Show the form once more, with an error text."""
        return self.form(visit, visit.fields.get(SLIP, ""), wrong)

    def form(self, visit: Visit, slip: str, wrong: str = "") -> web.Response:
        """Show the form with the encrypted token."""
        alert = html.alert(visit, wrong, (self.input,))
        hidden = html.hidden(SLIP, slip)
        form = html.form(visit, (self.input,), self.button, wrong=bool(wrong), more=hidden)
        return responses.page(visit, self.title, alert + form)

    def done(self, visit: Visit, text: str) -> web.Response:
        """Show a success text."""
        return responses.page(visit, self.title, html.done(visit, text))


@dataclass(frozen=True, slots=True)
class SheetPage:
    """The page of a link form: first the link's token, then the form's content."""

    sheet: Sheet
    written: Callable[[Visit, Secret], Awaitable[web.Response]]
    """Takes the posted form, and the token of the link it stands for."""

    async def view(self, visit: Visit) -> web.Response:
        """Show the page the link leads to."""
        return self.sheet.asked(visit)

    async def submit(self, visit: Visit) -> web.Response:
        """Answer a token with the form, or the posted form with its result."""
        if not visit.fields.get(SLIP):
            return await self.sheet.exchanged(visit)
        token = self.sheet.token(visit)
        return magic_links.gone(visit) if token is None else await self.written(visit, token)

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return self.sheet.asked(visit, text, status)


def _label(visit: Visit) -> str:
    """Return a seal label of this page and visitor."""
    return f"slip {visit.path} {visit.form_token}"
