"""The demo's wallet as its owners have it: requests, approval and refusal, as JSON and as a page."""

from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from aiohttp import web

from gateway.demo.wallet.wallet_book import WALLET_MODES, WalletBook, WalletRequest

OwnerAction = Literal["approve", "refuse"]
OWNER_PATH = "/owner"
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Demo wallet</title></head>
<body><h1>Demo wallet</h1><p>A wallet that takes no money. <a href="{path}">Look again</a></p>
<form method="post" action="{path}/mode"><label>What new requests do
<select name="mode">{modes}</select></label>
<button>Set</button></form>{requests}</body></html>
"""
REQUEST_FORM = """<form method="post" action="{path}/requests/{reference}"><p>...{payer}, {message}:
<strong>{amount} {currency}</strong> <button name="action" value="approve">Approve</button>
<button name="action" value="refuse">Refuse</button></p></form>"""


@dataclass(slots=True)
class OwnerPage:
    """Routes of the wallet's owners over a book."""

    book: WalletBook = field(repr=False)

    def add_routes(self, app: web.Application) -> None:
        """Add the routes to the application of a wallet's interface."""
        app.add_routes(
            [
                web.get(OWNER_PATH, self._show_page),
                web.get(f"{OWNER_PATH}/requests", self._list_waiting),
                web.post(f"{OWNER_PATH}/requests/{{reference}}", self._answer),
                web.post(f"{OWNER_PATH}/mode", self._set_mode),
            ]
        )

    async def _list_waiting(self, request: web.Request) -> web.StreamResponse:
        waiting = self.book.waiting(request.query.get("payer", ""))
        return web.json_response({"requests": [_view(each) for each in waiting]})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        reference, form = request.match_info["reference"], await request.post()
        if reference not in self.book.requests or form.get("action") not in ("approve", "refuse"):
            return web.Response(status=404)
        await self.book.press(reference, str(form["action"]))
        return _see_page()

    async def _set_mode(self, request: web.Request) -> web.StreamResponse:
        wanted = (await request.post()).get("mode")
        for mode in WALLET_MODES:
            if mode == wanted:
                self.book.mode = mode
        return _see_page()

    async def _show_page(self, request: web.Request) -> web.StreamResponse:
        modes = "".join(
            f"<option{' selected' if each == self.book.mode else ''}>{each}</option>" for each in WALLET_MODES
        )
        waiting = [each for each in self.book.requests.values() if each.end is None]
        forms = "".join(_request_form(each) for each in waiting) or "<p>No request waits.</p>"
        page = PAGE.format(path=OWNER_PATH, modes=modes, requests=forms)
        return web.Response(text=page, content_type="text/html")


def _view(request: WalletRequest) -> dict[str, Any]:
    return {
        "reference": request.reference,
        "amount": str(request.amount),
        "currency": request.currency,
        "message": request.message,
    }


def _request_form(request: WalletRequest) -> str:
    texts = {name: escape(value) for name, value in _view(request).items()}
    return REQUEST_FORM.format(path=OWNER_PATH, payer=escape(request.payer[-4:]), **texts)


def _see_page() -> web.Response:
    return web.Response(status=303, headers={"Location": OWNER_PATH})
