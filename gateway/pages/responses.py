"""HTTP responses of the pages, with security headers (CSP, HSTS, no-store)."""

from collections.abc import Mapping

from aiohttp import web

from gateway.pages import html
from gateway.pages.page_request import Visit

HEADERS: Mapping[str, str] = {
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
STRICT_TRANSPORT = "max-age=31536000"
"""HSTS, over https only: one year, in seconds."""
KINDS: Mapping[str, str] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "zip": "application/zip",
    "xml": "application/xml",
    "html": "text/html",
}
"""Content type by file suffix."""
ASSET_CACHE = "public, max-age=3600"


def page(visit: Visit, title: str, body: str, status: int = 200, *, script: bool = False) -> web.Response:
    """Return a whole HTML page."""
    text = html.document(visit, title, body, script=script)
    headers = {**HEADERS, "Content-Language": visit.language}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def see_other(place: str) -> web.Response:
    """Return a 303 redirect, which is followed with a GET."""
    return web.Response(status=303, headers={**HEADERS, "Location": place})


def plain(status: int, words: str) -> web.Response:
    """Return a plain-text sentence, for requests that did not come from our forms."""
    return web.Response(status=status, text=f"{words}\n", headers=HEADERS)


def document(data: bytes, name: str) -> web.Response:
    """Return a PDF as a download."""
    return attachment(data, name, "pdf")


def attachment(data: bytes, name: str, suffix: str) -> web.Response:
    """Return a download, under a name of letters, digits and dashes."""
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{filed(name)}.{suffix}"'}
    return web.Response(body=data, content_type=KINDS[suffix], headers=headers)


def filed(name: str) -> str:
    """Return the name with all but ASCII letters and digits as dashes, so that it is no path and no command."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:64]


def asset(data: bytes, content_type: str) -> web.Response:
    """Return a static file that is the same for everybody."""
    headers = {**HEADERS, "Cache-Control": ASSET_CACHE}
    return web.Response(body=data, content_type=content_type, charset="utf-8", headers=headers)


def sorry(visit: Visit) -> web.Response:
    """Return a 503 page: a dependency is unavailable, nothing was changed."""
    response = page(visit, "page.problem", f'<div class="alert" role="alert">{_sorry(visit)}</div>', 503)
    response.headers["Retry-After"] = "30"
    return response


def _sorry(visit: Visit) -> str:
    return html.paragraph(visit, "house.sorry")
