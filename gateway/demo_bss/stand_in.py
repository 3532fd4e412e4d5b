"""Standing in: a demo BSS on a loopback port, and the settings that point an operator at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from gateway.app import listening
from gateway.demo_bss.book import Book
from gateway.demo_bss.killbill import KillBillBss
from gateway.demo_bss.tmf import TmfBss
from storage.demo import rows

OPERATOR = "orange-ro"
RUBRICS = ("options", "communications", "prorata", "third_party", "equipment")
KINDS = ("tmf678", "killbill")
CLIENT, CLIENT_SECRET, HUB_TOKEN = "demo-client", "demo-client-secret", "demo-hub"


@asynccontextmanager
async def standing_in(kind: str, now: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
    """Serve a BSS with the demo world in it; what the settings need to use it. Empty serves none."""
    if not kind:
        yield {}
        return
    book = Book(rows(OPERATOR, now or datetime.now(UTC)))
    app = KillBillBss(book).app() if kind == "killbill" else TmfBss(book, "v4", CLIENT, CLIENT_SECRET).app()
    async with listening(app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        bss = killbill_settings() if kind == "killbill" else tmf_settings(url)
        yield {"operators": {OPERATOR: {"billing": f"{kind}+{url}", "bss": bss}}}


def tmf_settings(url: str) -> dict[str, Any]:
    """The table `bss` for the demo BSS that speaks TM Forum."""
    return {
        "token_url": f"{url}/token",
        "client_id": CLIENT,
        "client_secret": CLIENT_SECRET,
        "hub_token": HUB_TOKEN,
        "currency": "RON",
    }


def killbill_settings() -> dict[str, Any]:
    """The table `bss` for the demo BSS that answers as Kill Bill; its plans are named as our rubrics."""
    return {
        "api_key": "demo",
        "api_secret": "demo-secret",
        "password": "password",
        "rubrics": {name: name for name in RUBRICS},
    }
