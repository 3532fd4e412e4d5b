"""HTTP responses of the console: strict headers, no script at all, nothing stored by browsers."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.console.console_request import ConsoleRequest, page_frame
from gateway.console.console_site import ConsoleSite
from gateway.pages.responses import ASSET_CACHE, HSTS_VALUE, SECURITY_HEADERS

CONSOLE_HEADERS: Mapping[str, str] = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""Sent with every response; the pages have no script, so none is allowed."""


def staff_page(
    request: ConsoleRequest, template: str, values: Mapping[str, Any] | None = None, status: int = 200
) -> web.Response:
    """Return a page of a signed-in user."""
    page = request.site.templates.render(template, {**request.layout_values(), **(values or {})})
    return html_response(page, request.language, status)


def message_page(site: ConsoleSite, language: str, path: str, text: str, status: int) -> web.Response:
    """Return a page that says one thing: an error, a refusal."""
    values = {**page_frame(language, path), "message": text}
    return html_response(site.templates.render("message.html", values), language, status)


def html_response(page: str, language: str, status: int = 200) -> web.Response:
    """Return a whole HTML page."""
    headers = {**CONSOLE_HEADERS, "Content-Language": language}
    return web.Response(status=status, text=page, content_type="text/html", headers=headers)


def redirect_to(path: str) -> web.Response:
    """Return a 303 redirect to a path of the console's own, which is followed with a GET."""
    return web.Response(status=303, headers={**CONSOLE_HEADERS, "Location": path})


def redirect_outside(url: str) -> web.Response:
    """Return a 303 redirect to an address that the settings lead to, never one of a request."""
    return web.Response(status=303, headers={**CONSOLE_HEADERS, "Location": url})


def empty_response(status: int) -> web.Response:
    """Return an answer without a body, for a program."""
    return web.Response(status=status, headers=CONSOLE_HEADERS)


def download_file(data: bytes, filename: str, content_type: str) -> web.Response:
    """Return a download; the name is ours and holds no number."""
    headers = {**CONSOLE_HEADERS, "Content-Disposition": f'attachment; filename="{filename}"'}
    return web.Response(body=data, content_type=content_type, headers=headers)


def style_sheet(data: bytes) -> web.Response:
    """Return the style sheet."""
    headers = {**CONSOLE_HEADERS, "Cache-Control": ASSET_CACHE}
    return web.Response(body=data, content_type="text/css", charset="utf-8", headers=headers)


def add_hsts(site: ConsoleSite, response: web.Response) -> web.Response:
    """Add the HSTS header where staff reach the console over https."""
    if site.cookies.secure:
        response.headers["Strict-Transport-Security"] = HSTS_VALUE
    return response
