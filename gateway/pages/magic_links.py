"""Magic links: the token is in the URL's fragment, which is not sent to servers, and is posted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from flows.domain.records import LinkPurpose, MagicLink, Secret
from gateway.pages import responses
from gateway.pages.form_input import FormInput
from gateway.pages.page_request import PageRequest
from menus.model.facts import Facts

LINK_INPUT = FormInput(
    "link", 200, {"type": "text", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
)

SWITCH_FIELD = "switch"
"""The field of a language's button on a page behind a link: the same page again, nothing sent or changed."""


async def find_link(request: PageRequest, token: Secret, purpose: LinkPurpose) -> MagicLink | None:
    """Return the link of the token at this operator, without using it; None when there is none."""
    link = await request.ports.ledger.find_link(token, purpose, request.now)
    return link if link and link.operator == request.operator else None


def in_language_of(request: PageRequest, link: MagicLink) -> PageRequest:
    """Return the request in the language of the link's message, unless the URL names one; URLs then keep it."""
    if request.language_requested or link.language not in request.languages:
        return request
    return replace(request, language=link.language, language_requested=True)


def is_language_switch(request: PageRequest) -> bool:
    """Return whether a button for another language was pressed, on a page that is behind a link."""
    return SWITCH_FIELD in request.form_fields


def linked_page(
    request: PageRequest,
    template: str,
    title: str,
    values: Mapping[str, Any],
    switch_fields: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    """Return a page behind a link; its languages are buttons that post these fields, as a URL has no token."""
    switch = {"switch_field": SWITCH_FIELD, "switch_fields": switch_fields}
    return responses.html_page(request, template, title, {**values, **switch}, status)


def show_success(request: PageRequest, title: str, text: str, facts: Facts | None = None) -> web.Response:
    """Show that a thing is done, in this language only: the link it was done by may be used up."""
    return responses.success_page(replace(request, languages=(request.language,)), title, text, facts)


def posted_token(request: PageRequest) -> Secret:
    """Return the posted token; of a whole URL only the part after the # counts."""
    return Secret(request.form_fields.get(LINK_INPUT.name, "").strip().rpartition("#")[2])


def show_link_form(
    request: PageRequest, title: str, button: str, text: str = "", status: int = 200
) -> web.Response:
    """Show the page a link leads to: its script posts the fragment; without scripts the token is typed."""
    values = {"error": text, "inputs": (LINK_INPUT,), "button": button}
    return responses.html_page(request, "link.html", title, values, status)


def link_expired_page(request: PageRequest) -> web.Response:
    """Show one and the same page for every link that opens nothing, whatever the reason."""
    return linked_page(request, "link_expired.html", "page.gone_title", {}, {LINK_INPUT.name: ""}, status=404)
