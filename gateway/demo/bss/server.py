"""Starts the fake BSS servers on loopback ports and returns settings that use them."""

import os
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from gateway.demo import world
from gateway.demo.bss.data import Book
from gateway.demo.bss.killbill import KillBillBss
from gateway.demo.bss.tmf import TmfBss
from gateway.http.listening import listening
from gateway.providers.discovery import discover
from gateway.settings import Settings, config_path, load, merged
from storage.demo.extras import PLATFORM
from storage.demo.world import known, rows

RUBRICS = ("options", "communications", "prorata", "third_party", "equipment")
LINES = ("mobile", "fixed", "internet", "data_key")
KINDS = ("memory", "tmf678", "killbill")
CLIENT, CLIENT_SECRET, HUB_TOKEN = "demo-client", "demo-client-secret", "demo-hub"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the option `--billing`."""
    parser.add_argument(
        "--billing", choices=KINDS, default="", help="read bills from a BSS of this kind instead"
    )


@asynccontextmanager
async def demo_settings(kind: str) -> AsyncIterator[Settings]:
    """Yield the demo's settings with a fake BSS of this kind; an empty kind starts none."""
    async with standing_in(kind) as bss_settings:
        base = merged(world.base(os.environ), bss_settings)
        yield load(discover(), config_path(os.environ), os.environ, base)


@asynccontextmanager
async def standing_in(kind: str, now: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
    """Serve a fake BSS per demo operator and yield the settings that use it; empty serves none."""
    async with AsyncExitStack() as stack:
        operators = {}
        for operator in known() if kind else ():
            operators[operator] = {"billing": "memory"}
            if kind != "memory":
                book = Book(rows(operator, now or datetime.now(UTC)))
                operators[operator] = await stack.enter_async_context(_served(kind, book))
        yield {"operators": operators} if operators else {}


@asynccontextmanager
async def _served(kind: str, book: Book) -> AsyncIterator[dict[str, Any]]:
    app = KillBillBss(book).app() if kind == "killbill" else TmfBss(book, "v4", CLIENT, CLIENT_SECRET).app()
    async with listening(app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        bss = killbill_settings(book) if kind == "killbill" else {**tmf_settings(book), **tokens(url)}
        yield {"billing": f"{kind}+{url}", "bss": bss}


def tmf_settings(book: Book) -> dict[str, Any]:
    """Return the settings table `bss` for the fake TM Forum server."""
    return {
        "currency": book.rows.currency,
        "serves": ["documents", "usage", "purchases"],
        "platform": PLATFORM if book.rows.documents else "",
    }


def tokens(url: str) -> dict[str, Any]:
    """Return the OAuth2 and hub credentials of that table."""
    credentials = {"client_id": CLIENT, "client_secret": CLIENT_SECRET}
    return {"token_url": f"{url}/token", **credentials, "hub_token": HUB_TOKEN}


def killbill_settings(book: Book) -> dict[str, Any]:
    """Return the settings table `bss` for the fake Kill Bill server.

    Its plans are named as our rubrics.
    """
    return {
        "api_key": "demo",
        "api_secret": "demo-secret",
        "password": "password",
        "due_days": book.rows.shop.due_after.days,
        "kinds": {name: name for name in LINES},
        "rubrics": {name: name for name in RUBRICS},
    }
