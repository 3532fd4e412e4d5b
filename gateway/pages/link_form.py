"""One-field form behind a magic link: the token is exchanged for an encrypted form field."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from flows.domain.records import LinkPurpose, Secret
from gateway.pages import magic_links
from gateway.pages.form_input import FormInput
from gateway.pages.page_request import PageRequest
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Facts

SEALED_LINK_FIELD = "slip"
"""The field with the link's token encrypted for this visitor: no page contains the token itself."""
SEALED_LINK_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class LinkForm:
    """A form with one field, for holders of a link of this purpose."""

    purpose: LinkPurpose
    title: str
    button: str
    form_input: FormInput
    token_sealer: TokenSealer = field(repr=False)

    def show_link_form(self, request: PageRequest, text: str = "", status: int = 200) -> web.Response:
        """Show the page the link leads to, with an error text if any."""
        return magic_links.show_link_form(request, self.title, "page.go_on", text, status)

    async def exchange_token(self, request: PageRequest) -> web.Response:
        """Show the form for a posted token; this does not use up the link."""
        token = magic_links.posted_token(request)
        link = await magic_links.find_link(request, token, self.purpose)
        if link is None:
            return magic_links.link_expired_page(request)
        words = ((request.now + SEALED_LINK_LIFETIME).isoformat(), token.value)
        sealed_link = self.token_sealer.seal_words(words, _seal_label(request))
        return self.show_form(magic_links.in_language_of(request, link), sealed_link)

    def posted_link_token(self, request: PageRequest) -> Secret | None:
        """Return the link's token from the posted field; None when it is invalid or older than 30 minutes."""
        words = self.token_sealer.unseal_words(
            request.form_fields.get(SEALED_LINK_FIELD, ""), _seal_label(request)
        )
        is_current = words and request.now < datetime.fromisoformat(words[0])
        return Secret(words[1]) if words and is_current else None

    def show_again(self, request: PageRequest, error_text: str = "") -> web.Response:
        """Show the form once more, with an error text if any."""
        return self.show_form(request, request.form_fields.get(SEALED_LINK_FIELD, ""), error_text)

    def show_form(self, request: PageRequest, sealed_link: str, error_text: str = "") -> web.Response:
        """Show the form with the encrypted token."""
        hidden = {SEALED_LINK_FIELD: sealed_link}
        values = {
            "error": error_text,
            "inputs": (self.form_input,),
            "button": self.button,
            "hidden": hidden,
        }
        return magic_links.linked_page(request, "link_form.html", self.title, values, hidden)

    def show_success(self, request: PageRequest, text: str, facts: Facts | None = None) -> web.Response:
        """Show a success text."""
        return magic_links.show_success(request, self.title, text, facts)


@dataclass(frozen=True, slots=True)
class LinkFormPage:
    """The page of a link form: first the link's token, then the form's content."""

    link_form: LinkForm
    on_submit: Callable[[PageRequest, Secret], Awaitable[web.Response]]
    """Takes the posted form, and the token of the link it stands for."""

    async def view(self, request: PageRequest) -> web.Response:
        """Show the page the link leads to."""
        return self.link_form.show_link_form(request)

    async def submit(self, request: PageRequest) -> web.Response:
        """Answer a token with the form, or the posted form with its result."""
        if not request.form_fields.get(SEALED_LINK_FIELD):
            return await self.link_form.exchange_token(request)
        token = self.link_form.posted_link_token(request)
        if token is None:
            return magic_links.link_expired_page(request)
        if magic_links.is_language_switch(request):
            return self.link_form.show_again(request)
        return await self.on_submit(request, token)

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return self.link_form.show_link_form(request, text, status)


def _seal_label(request: PageRequest) -> str:
    """Return a seal label of this page and visitor."""
    return f"slip {request.path} {request.form_token}"
