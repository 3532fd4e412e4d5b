"""Answers: responses with the headers every one of them carries."""

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
"""On every answer, good or bad."""
STRICT_TRANSPORT = "max-age=31536000"
"""Over https only: a browser told so never asks over http again (one year, in seconds)."""
KINDS: Mapping[str, str] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "zip": "application/zip",
    "xml": "application/xml",
    "html": "text/html",
}
"""What a file is, by the end of its name."""
ASSET_CACHE = "public, max-age=3600"


def page(visit: Visit, title: str, body: str, status: int = 200, *, script: bool = False) -> web.Response:
    """A whole page."""
    text = html.document(visit, title, body, script=script)
    headers = {**HEADERS, "Content-Language": visit.language}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def see_other(place: str) -> web.Response:
    """Look there instead, with a GET."""
    return web.Response(status=303, headers={**HEADERS, "Location": place})


def plain(status: int, words: str) -> web.Response:
    """A sentence for whoever sent what no form of ours sends."""
    return web.Response(status=status, text=f"{words}\n", headers=HEADERS)


def document(data: bytes, name: str) -> web.Response:
    """A PDF to keep."""
    return attachment(data, name, "pdf")


def attachment(data: bytes, name: str, suffix: str) -> web.Response:
    """A file to keep, under a name of letters, digits and dashes."""
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{filed(name)}.{suffix}"'}
    return web.Response(body=data, content_type=KINDS[suffix], headers=headers)


def filed(name: str) -> str:
    """A name, of a bill or of whatever its issuer calls it, that is no path and no command anywhere."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:64]


def asset(data: bytes, content_type: str) -> web.Response:
    """A file that is the same for everybody."""
    headers = {**HEADERS, "Cache-Control": ASSET_CACHE}
    return web.Response(body=data, content_type=content_type, charset="utf-8", headers=headers)


def sorry(visit: Visit) -> web.Response:
    """Something we depend on is out: come back later, nothing was changed."""
    response = page(visit, "page.problem", f'<div class="alert" role="alert">{_sorry(visit)}</div>', 503)
    response.headers["Retry-After"] = "30"
    return response


def _sorry(visit: Visit) -> str:
    return html.paragraph(visit, "house.sorry")
