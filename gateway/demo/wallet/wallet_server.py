"""Starts the demo's wallet on a loopback port and returns the settings that use it."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.demo.wallet.mtn_wallet import MTN_USER, MtnWallet, mtn_settings
from gateway.demo.wallet.orange_wallet import CONSUMER_KEY, OrangeWallet, orange_settings
from gateway.demo.wallet.owner_page import OWNER_PATH, OwnerPage
from gateway.demo.wallet.wallet_book import WalletBook
from gateway.demo.wallet.wallet_owner import WalletOwner
from gateway.http.listening import PortTakenError, serve_app
from gateway.payments.wallet_settings import WalletName, WalletSettings

WALLET_TABLES: Mapping[WalletName, Callable[[str], dict[str, Any]]] = {
    "mtn_momo": mtn_settings,
    "orange_money": orange_settings,
}
"""By the name of an interface, the settings table `wallet` that uses the stand-in at an address."""
DEMO_WALLET: WalletName = "mtn_momo"
"""The interface that the demo's wallet speaks."""
WALLET_PORT = 8478
"""Port of the demo's wallet; the variable WALLET_PORT names another."""


@asynccontextmanager
async def serve_wallet(provider: WalletName, book: WalletBook, port: int = 0) -> AsyncIterator[dict[str, Any]]:
    """Serve one provider's interface over a book and yield the settings table `wallet` that uses it."""
    async with serve_app(_create_app(provider, book), "127.0.0.1", port, port_setting="WALLET_PORT") as taken:
        try:
            yield WALLET_TABLES[provider](f"http://127.0.0.1:{taken}")
        finally:
            book.drop_late_callbacks()


@asynccontextmanager
async def serve_own_wallet(
    provider: WalletName | None, now: Callable[[], datetime]
) -> AsyncIterator[dict[str, Any]]:
    """Serve a wallet with a book of its own; yield the part of an operator's settings, empty without one."""
    if provider is None:
        yield {}
        return
    async with serve_wallet(provider, WalletBook(now=now)) as table:
        yield {"wallet": table}


@asynccontextmanager
async def share_wallet(operators: Iterable[str], port: int) -> AsyncIterator[dict[str, Any]]:
    """Serve the demo's wallet, or use the one that a running demo serves; yield the settings that use it.

    So a terminal phone and the demo beside it, which share their database, know the same requests.
    """
    table = WALLET_TABLES[DEMO_WALLET](f"http://127.0.0.1:{port}")
    async with AsyncExitStack() as stack:
        with suppress(PortTakenError):
            await stack.enter_async_context(serve_wallet(DEMO_WALLET, WalletBook(), port))
        yield {"operators": {name: {"wallet": table} for name in operators}}


def find_owner(settings: WalletSettings | None) -> WalletOwner | None:
    """Return the owners' side of an operator's wallet; None where it is not this stand-in."""
    is_ours = settings is not None and settings.api_user in (MTN_USER, CONSUMER_KEY)
    return WalletOwner(settings.base_url) if settings and is_ours else None


def _create_app(provider: WalletName, book: WalletBook) -> web.Application:
    app = MtnWallet(book).create_app() if provider == "mtn_momo" else OrangeWallet(book).create_app()
    OwnerPage(book).add_routes(app)

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_free = "token" in request.path.split("/") or request.path.startswith(OWNER_PATH)
        if book.is_refusing and not is_free:
            return web.json_response({"message": "forbidden"}, status=403)
        return await handler(request)

    app.middlewares.append(refuse)
    return app
