"""Billing backends for the contract tests: the same demo subscribers behind every kind of backend."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from flows.domain.ports import Billing
from gateway.demo.bss.data import Book
from gateway.demo.bss.killbill import KillBillBss
from gateway.demo.bss.server import killbill_settings, tmf_settings
from gateway.demo.bss.tmf import TmfBss
from gateway.http.listening import listening
from storage.billing.backend import Remote, Site, connect
from storage.billing.memory import MemoryBilling
from storage.demo.statements import ADD_BILL, ADD_DOCUMENT, ADD_ENTRY, ADD_LINE, ADD_SUBSCRIBER
from storage.demo.world import rows
from storage.sql.engine import Database
from storage.sql.engine import connect as opened
from storage.sql.migrate import upgrade

OPERATOR = "orange-ro"
ZONE = ZoneInfo("Europe/Bucharest")
AT = datetime(2026, 3, 10, 7, tzinfo=UTC)
MAPPED: Mapping[str, Any] = {
    "subscribers": {
        "table": "their_lines",
        **{
            ours: f"their_{ours}"
            for ours in (
                "id",
                "msisdn",
                "account",
                "name",
                "kind",
                "segment",
                "language",
                "since",
                "email",
                "media",
            )
        },
        "email_validated": "their_email_validated",
    },
    "bills": {
        "table": "their_bills",
        **{
            ours: f"their_{ours}"
            for ours in ("id", "account", "issued", "due", "total", "tax", "remaining", "number")
        },
    },
    "lines": {
        "table": "their_detail",
        **{ours: f"their_{ours}" for ours in ("bill", "rubric", "user", "amount")},
    },
}


@dataclass(slots=True)
class Backend:
    """A backend filled with the demo subscribers of one operator."""

    name: str
    billing: Billing = field(repr=False)
    book: Book = field(repr=False)
    """The rows it was filled from; a BSS over HTTP is also served from them."""

    async def account(self, msisdn: str) -> str:
        """Return the account of a number in this backend's own spelling."""
        return (await self.billing.subscriber(msisdn)).account


def book(at: datetime = AT, operator: str = OPERATOR) -> Book:
    """Return an operator's demo data as of a day."""
    return Book(rows(operator, at))


def site(
    database: Database,
    today: Callable[[], date],
    options: Mapping[str, Any] | None = None,
    kept: Book | None = None,
) -> Site:
    """Return the site (operator, database, clock, options) a backend is connected with."""
    operator, zone = (kept.rows.shop.name, kept.rows.zone) if kept else (OPERATOR, ZONE)
    return Site(operator, database, today, zone, options or {})


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a loopback port and yield its URL."""
    async with listening(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


UNHURRIED = {"timeout_seconds": 30.0, "connect_seconds": 30.0}
"""Timeouts (seconds) of an HTTP backend for tests that are not about slowness."""


@asynccontextmanager
async def behind(
    name: str, folder: Path, kept: Book, today: Callable[[], date], more: Mapping[str, Any] | None = None
) -> AsyncIterator[Billing]:
    """Open a backend by name: `memory`, `sqlite`, `mapped`, `tmf678-v4`, `tmf678-v5` or `killbill`."""
    kind, _, dialect = name.partition("-")
    if kind == "memory":
        yield MemoryBilling(kept.rows, today)
        return
    if kind in ("sqlite", "mapped"):
        async with _filled(folder / f"{name}.db", kept) as database:
            options = MAPPED if kind == "mapped" else {}
            yield connect("mapped" if kind == "mapped" else "sql", site(database, today, options, kept))
        return
    app = KillBillBss(kept).app() if kind == "killbill" else TmfBss(kept, dialect).app()
    own = killbill_settings(kept) if kind == "killbill" else {**tmf_settings(kept), "dialect": dialect}
    async with served(app) as url:
        there = site(opened("sqlite://"), today, {**own, **(more or {})}, kept)
        billing = connect(f"{kind}+{url}", there)
        assert isinstance(billing, Remote)
        try:
            yield billing
        finally:
            await billing.close()


@asynccontextmanager
async def _filled(path: Path, kept: Book) -> AsyncIterator[Database]:
    database = opened(f"sqlite:///{path}")
    await upgrade(database)
    await fill(database, kept)
    await database.write(lambda connection: [connection.exec_driver_sql(view) for view in VIEWS] and None)
    try:
        yield database
    finally:
        await database.close()


async def fill(database: Database, kept: Book) -> None:
    """Insert the demo rows into our own billing tables."""

    def job(connection: Any) -> None:
        connection.execute(ADD_SUBSCRIBER, kept.rows.people)
        connection.execute(ADD_BILL, kept.rows.bills)
        connection.execute(ADD_LINE, kept.rows.lines)
        for add, found in ((ADD_ENTRY, kept.rows.entries), (ADD_DOCUMENT, kept.rows.documents)):
            if found:
                connection.execute(add, found)

    await database.write(job)


def _view(name: str, table: str, columns: Mapping[str, str]) -> str:
    told = ", ".join(f'"{ours}" AS "{theirs}"' for ours, theirs in columns.items() if ours != "table")
    return f'CREATE VIEW "{name}" AS SELECT {told} FROM "{table}"'


VIEWS = [
    _view("their_lines", "billing_subscribers", MAPPED["subscribers"]),
    _view("their_bills", "billing_bills", MAPPED["bills"]),
    _view("their_detail", "billing_lines", MAPPED["lines"]),
]
"""Views that show our tables under an operator's own table and column names."""
