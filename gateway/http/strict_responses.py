"""Security headers of every HTTP response, aiohttp's own error pages included; no Server banner."""

from collections.abc import Mapping

from aiohttp import hdrs, web

STRICT_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers a response gets that sets no other value for them."""


class StrictRequest(web.Request):
    """A request whose response gets the strict headers; aiohttp asks it just before the head is written.

    Applications have a signal for that, which responses to unreadable requests never reach.
    """

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        response.headers.popall(hdrs.SERVER, None)
        for name, value in STRICT_HEADERS.items():
            response.headers.setdefault(name, value)
