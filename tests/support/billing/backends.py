"""Billing backends for the contract tests: the same demo subscribers behind every kind of backend."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import insert

from flows.domain.payment_records import BillPayment
from flows.domain.ports import Billing
from flows.domain.purchase_records import BillCharge
from flows.domain.records import Bill
from gateway.demo.bss.bss_servers import killbill_settings, tmf_settings
from gateway.demo.bss.data import BssRecords
from gateway.demo.bss.killbill_server import KillBillBss
from gateway.demo.bss.tmf_server import TmfBss
from gateway.http.listening import serve_app
from storage.billing.backend import BackendContext, RemoteBilling, connect_backend
from storage.billing.memory import MemoryBilling
from storage.demo.statements import INSERT_BILL, INSERT_DOCUMENT, INSERT_ENTRY, INSERT_LINE, INSERT_SUBSCRIBER
from storage.demo.world import build_operator_rows
from storage.sql.engine import Database
from storage.sql.engine import connect as opened
from storage.sql.migrate import upgrade_database
from storage.sql.tables import billing_allowances, billing_debits, billing_payments, billing_services

OPERATOR = "orange-ro"
ZONE = ZoneInfo("Europe/Bucharest")
DEMO_TIME = datetime(2026, 3, 10, 7, tzinfo=UTC)
MAPPED_TABLES: Mapping[str, Any] = {
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
    "payments": {
        "table": "their_payments",
        **{"account": "their_account", "amount": "their_amount", "paid_on": "their_day"},
        **{"method": "their_method", "bill": "their_bill", "key": "their_key"},
    },
    "entries": {
        "table": "their_usage",
        **{
            ours: f"their_{ours}"
            for ours in ("account", "what", "at", "kind", "amount", "label", "quantity", "user", "centre")
        },
    },
    "allowances": {
        "table": "their_meter",
        **{ours: f"their_{ours}" for ours in ("account", "user", "kind", "used", "granted", "renews_on")},
    },
    "services": {
        "table": "their_services",
        **{ours: f"their_{ours}" for ours in ("account", "name", "user", "since", "until")},
    },
    "debits": {
        "table": "their_mandates",
        **{ours: f"their_{ours}" for ours in ("account", "reference", "account_end", "collects_on")},
    },
}


@dataclass(slots=True)
class BackendUnderTest:
    """A backend filled with the demo subscribers of one operator."""

    name: str
    billing: Billing = field(repr=False)
    book: BssRecords = field(repr=False)
    """The rows it was filled from; a BSS over HTTP is also served from them."""

    async def account_of(self, msisdn: str) -> str:
        """Return the account of a number in this backend's own spelling."""
        return (await self.billing.get_subscriber(msisdn)).account


def build_book(at: datetime = DEMO_TIME, operator: str = OPERATOR) -> BssRecords:
    """Return an operator's demo data as of a day."""
    return BssRecords(build_operator_rows(operator, at))


def payment_of(bill: Bill, key: str = "a1") -> BillPayment:
    """Return a payment of everything that remains of a bill."""
    return BillPayment(key, bill.account, bill.id, bill.remaining, "RON", DEMO_TIME, "ref-1", "payfake")


def charge_of(account: str, key: str = "c1", amount: str = "1.80") -> BillCharge:
    """Return a parking ticket, or a credit of one, for an account's next bill."""
    return BillCharge(key, account, "parking", "Zone 2", Decimal(amount), DEMO_TIME.date())


def backend_site(
    database: Database,
    today: Callable[[], date],
    options: Mapping[str, Any] | None = None,
    kept: BssRecords | None = None,
) -> BackendContext:
    """Return the site (operator, database, clock, options) a backend is connected with."""
    operator, zone = (kept.rows.operator.name, kept.rows.zone) if kept else (OPERATOR, ZONE)
    return BackendContext(operator, database, today, zone, options or {})


@asynccontextmanager
async def serve_bss_app(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a loopback port and yield its URL."""
    async with serve_app(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


LONG_TIMEOUTS = {"timeout_seconds": 30.0, "connect_seconds": 30.0}
"""Timeouts (seconds) of an HTTP backend for tests that are not about slowness."""


@asynccontextmanager
async def open_backend(
    name: str, folder: Path, kept: BssRecords, today: Callable[[], date], more: Mapping[str, Any] | None = None
) -> AsyncIterator[Billing]:
    """Open a backend by name: `memory`, `sqlite`, `mapped`, `tmf678-v4`, `tmf678-v5` or `killbill`."""
    kind, _, dialect = name.partition("-")
    if kind == "memory":
        yield MemoryBilling(kept.rows, today)
        return
    if kind in ("sqlite", "mapped"):
        async with _filled_database(folder / f"{name}.db", kept) as database:
            options = MAPPED_TABLES if kind == "mapped" else {}
            yield connect_backend(
                "mapped" if kind == "mapped" else "sql", backend_site(database, today, options, kept)
            )
        return
    app = KillBillBss(kept).create_app() if kind == "killbill" else TmfBss(kept, dialect).create_app()
    own = killbill_settings(kept) if kind == "killbill" else {**tmf_settings(kept), "dialect": dialect}
    async with serve_bss_app(app) as url:
        there = backend_site(opened("sqlite://"), today, {**own, **(more or {})}, kept)
        billing = connect_backend(f"{kind}+{url}", there)
        assert isinstance(billing, RemoteBilling)
        try:
            yield billing
        finally:
            await billing.close()


@asynccontextmanager
async def _filled_database(path: Path, kept: BssRecords) -> AsyncIterator[Database]:
    database = opened(f"sqlite:///{path}")
    await upgrade_database(database)
    await fill_tables(database, kept)
    await database.write(
        lambda connection: [connection.exec_driver_sql(view) for view in MAPPED_VIEWS] and None
    )
    try:
        yield database
    finally:
        await database.close()


async def fill_tables(database: Database, kept: BssRecords) -> None:
    """Insert the demo rows into our own billing tables."""

    def job(connection: Any) -> None:
        connection.execute(INSERT_SUBSCRIBER, kept.rows.people)
        connection.execute(INSERT_BILL, kept.rows.bills)
        connection.execute(INSERT_LINE, kept.rows.lines)
        for add, found in (
            (INSERT_ENTRY, kept.rows.entries),
            (INSERT_DOCUMENT, kept.rows.documents),
            (insert(billing_payments), kept.rows.payments),
            (insert(billing_allowances), kept.rows.allowances),
            (insert(billing_services), kept.rows.services),
            (insert(billing_debits), kept.rows.debits),
        ):
            if found:
                connection.execute(add, found)

    await database.write(job)


def _view_statement(name: str, table: str, columns: Mapping[str, str]) -> str:
    told = ", ".join(f'"{ours}" AS "{theirs}"' for ours, theirs in columns.items() if ours != "table")
    return f'CREATE VIEW "{name}" AS SELECT {told} FROM "{table}"'


MAPPED_VIEWS = [
    _view_statement("their_lines", "billing_subscribers", MAPPED_TABLES["subscribers"]),
    _view_statement("their_bills", "billing_bills", MAPPED_TABLES["bills"]),
    _view_statement("their_detail", "billing_lines", MAPPED_TABLES["lines"]),
    _view_statement("their_usage", "billing_entries", MAPPED_TABLES["entries"]),
    _view_statement("their_meter", "billing_allowances", MAPPED_TABLES["allowances"]),
    _view_statement("their_services", "billing_services", MAPPED_TABLES["services"]),
    _view_statement("their_mandates", "billing_debits", MAPPED_TABLES["debits"]),
    "CREATE VIEW their_payments AS SELECT account AS their_account, amount AS their_amount,"
    " substr(at, 1, 10) AS their_day, provider AS their_method, bill AS their_bill, key AS their_key"
    " FROM billing_payments",
]
"""Views that show our tables under an operator's own table and column names."""
