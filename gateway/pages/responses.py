"""HTTP responses of the pages, with security headers (CSP, HSTS, no-store)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from flows.services.file_links import safe_filename
from gateway.pages.languages import text_direction
from gateway.pages.page_request import PageRequest
from menus.model.facts import Facts

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'; img-src 'self'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
"""Sent with every response, errors included."""
HSTS_VALUE = "max-age=31536000"
"""HSTS, over https only: one year, in seconds."""
CONTENT_TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "zip": "application/zip",
    "xml": "application/xml",
    "html": "text/html",
}
"""Content type by file suffix."""
ASSET_CACHE = "public, max-age=3600"


def html_page(
    request: PageRequest, template: str, title: str, values: Mapping[str, Any] | None = None, status: int = 200
) -> web.Response:
    """Return a whole HTML page: a template under a title, which is the name of a text."""
    text = request.templates.render(template, {**_layout_values(request), "title": title, **(values or {})})
    headers = {**SECURITY_HEADERS, "Content-Language": request.language}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _layout_values(request: PageRequest) -> dict[str, Any]:
    """Return what every page shows: its operator, its direction, and its other languages with their codes."""
    config = request.menu.config
    codes = [config.languages[each].locale.partition("_")[0].upper() for each in request.languages]
    return {
        "request": request,
        "text": request.plain_text,
        "operator_title": config.title,
        "direction": text_direction(request.language),
        "languages": tuple(zip(request.languages, codes, strict=True)),
        "heading": "",
        "switch_fields": None,
    }


def allow_form_target(response: web.Response, origin: str) -> web.Response:
    """Let the page's form lead on to another origin as well: browsers check where a form is redirected to."""
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    allowed = policy.replace("form-action 'self'", f"form-action 'self' {origin}")
    response.headers["Content-Security-Policy"] = allowed
    return response


def see_other(url: str) -> web.Response:
    """Return a 303 redirect, which is followed with a GET."""
    return web.Response(status=303, headers={**SECURITY_HEADERS, "Location": url})


def plain_text(status: int, text: str) -> web.Response:
    """Return a plain-text sentence, for requests that did not come from our forms."""
    return web.Response(status=status, text=f"{text}\n", headers=SECURITY_HEADERS)


def file_attachment(data: bytes, name: str, suffix: str) -> web.Response:
    """Return a download, under a name of letters, digits and dashes."""
    headers = {
        **SECURITY_HEADERS,
        "Content-Disposition": f'attachment; filename="{safe_filename(name)}.{suffix}"',
    }
    return web.Response(body=data, content_type=CONTENT_TYPES[suffix], headers=headers)


def static_asset(data: bytes, content_type: str) -> web.Response:
    """Return a static file that is the same for everybody."""
    headers = {**SECURITY_HEADERS, "Cache-Control": ASSET_CACHE}
    return web.Response(body=data, content_type=content_type, charset="utf-8", headers=headers)


def success_page(request: PageRequest, title: str, text: str, facts: Facts | None = None) -> web.Response:
    """Return a page that says a thing is done."""
    return html_page(request, "success.html", title, {"success": text, "facts": facts or {}})


def file_preparing_page(request: PageRequest, title: str, values: Mapping[str, Any]) -> web.Response:
    """Return a 202 page: a file is being built; `hidden` fields or a `url` say how to ask for it again."""
    response = html_page(request, "file_preparing.html", title, {"hidden": None, "url": "", **values}, 202)
    response.headers["Retry-After"] = "10"
    return response


def service_unavailable_page(request: PageRequest) -> web.Response:
    """Return a 503 page: a dependency is unavailable, nothing was changed."""
    response = html_page(request, "unavailable.html", "page.problem", status=503)
    response.headers["Retry-After"] = "30"
    return response
