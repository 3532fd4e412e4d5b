"""Starts the demo's wallet on a loopback port and returns the settings that use it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.demo.wallet.mtn_wallet import MtnWallet, mtn_settings
from gateway.demo.wallet.orange_wallet import OrangeWallet, orange_settings
from gateway.demo.wallet.wallet_book import WalletBook
from gateway.http.listening import serve_app
from gateway.payments.wallet_settings import WalletName

SETTINGS: Mapping[WalletName, Callable[[str], dict[str, Any]]] = {
    "mtn_momo": mtn_settings,
    "orange_money": orange_settings,
}


@asynccontextmanager
async def serve_wallet(provider: WalletName, book: WalletBook) -> AsyncIterator[dict[str, Any]]:
    """Serve one provider's interface over a book and yield the settings table `wallet` that uses it."""
    async with serve_app(_create_app(provider, book), "127.0.0.1", 0) as port:
        yield SETTINGS[provider](f"http://127.0.0.1:{port}")


def _create_app(provider: WalletName, book: WalletBook) -> web.Application:
    app = MtnWallet(book).create_app() if provider == "mtn_momo" else OrangeWallet(book).create_app()

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        if book.is_refusing and "token" not in request.path.split("/"):
            return web.json_response({"message": "forbidden"}, status=403)
        return await handler(request)

    app.middlewares.append(refuse)
    return app
