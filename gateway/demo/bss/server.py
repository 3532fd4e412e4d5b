"""Standing in: a demo BSS for every operator on loopback ports, and the settings that point them there."""

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
    """The argument `--billing`."""
    parser.add_argument(
        "--billing", choices=KINDS, default="", help="read bills from a BSS of this kind instead"
    )


@asynccontextmanager
async def demo_settings(kind: str) -> AsyncIterator[Settings]:
    """The demo's settings, with a BSS of its own of this kind; empty for none."""
    async with standing_in(kind) as told:
        base = merged(world.base(os.environ), told)
        yield load(discover(), config_path(os.environ), os.environ, base)


@asynccontextmanager
async def standing_in(kind: str, now: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
    """Serve a BSS with the demo world in it; what the settings need to use it. Empty serves none."""
    async with AsyncExitStack() as stack:
        told = {}
        for operator in known() if kind else ():
            told[operator] = {"billing": "memory"}
            if kind != "memory":
                book = Book(rows(operator, now or datetime.now(UTC)))
                told[operator] = await stack.enter_async_context(_served(kind, book))
        yield {"operators": told} if told else {}


@asynccontextmanager
async def _served(kind: str, book: Book) -> AsyncIterator[dict[str, Any]]:
    app = KillBillBss(book).app() if kind == "killbill" else TmfBss(book, "v4", CLIENT, CLIENT_SECRET).app()
    async with listening(app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        bss = killbill_settings(book) if kind == "killbill" else {**tmf_settings(book), **tokens(url)}
        yield {"billing": f"{kind}+{url}", "bss": bss}


def tmf_settings(book: Book) -> dict[str, Any]:
    """The table `bss` for the demo BSS that speaks TM Forum."""
    return {
        "currency": book.rows.currency,
        "serves": ["documents", "usage", "purchases"],
        "platform": PLATFORM if book.rows.documents else "",
    }


def tokens(url: str) -> dict[str, Any]:
    """What the table needs besides, where clients must be known."""
    credentials = {"client_id": CLIENT, "client_secret": CLIENT_SECRET}
    return {"token_url": f"{url}/token", **credentials, "hub_token": HUB_TOKEN}


def killbill_settings(book: Book) -> dict[str, Any]:
    """The table `bss` for the demo BSS that answers as Kill Bill; its plans are named as our rubrics."""
    return {
        "api_key": "demo",
        "api_secret": "demo-secret",
        "password": "password",
        "due_days": book.rows.shop.due_after.days,
        "kinds": {name: name for name in LINES},
        "rubrics": {name: name for name in RUBRICS},
    }
