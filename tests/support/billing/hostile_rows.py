"""Billing tables whose rows can be spoilt: the demo's data in memory, in our tables or in an operator's."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from flows.domain.ports import Billing
from storage.billing.backend import connect_backend
from storage.billing.memory import MemoryBilling
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.billing.backends import backend_site, build_book

TODAY = date(2026, 3, 10)
ANA = "+40740000101"
Row = dict[str, Any]
OWN_TABLES = {
    "people": "billing_subscribers",
    "bills": "billing_bills",
    "lines": "billing_lines",
}
MAPPED_COLUMNS: dict[str, tuple[str, ...]] = {
    "people": (
        *("id", "msisdn", "account", "name", "kind", "segment", "language", "since"),
        *("email", "email_validated", "media", "status", "until"),
    ),
    "bills": (
        *("id", "account", "issued", "due", "total", "tax", "remaining", "number"),
        *("cancelled", "published", "currency"),
    ),
    "lines": ("bill", "rubric", "user", "amount"),
}
"""Columns of the operator's tables, each under our own name."""


@dataclass(slots=True)
class HostileRows:
    """Rows of one operator, to be spoilt before they are stored."""

    people: list[Row] = field(default_factory=list)
    bills: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)

    def person(self, msisdn: str) -> Row:
        """Return the row of a number."""
        return next(each for each in self.people if each["msisdn"] == msisdn)

    def bills_of(self, msisdn: str) -> list[Row]:
        """Return the bills of a number's account, newest first."""
        account = self.person(msisdn)["account"]
        own = [each for each in self.bills if each["account"] == account]
        return sorted(own, key=lambda row: row["issued"], reverse=True)


Spoiler = Callable[[HostileRows], None]


def sound_rows() -> HostileRows:
    """Return the demo's rows, with the columns only an operator's own tables have."""
    rows = build_book().rows
    return HostileRows(
        [{**each, "status": "active", "until": None} for each in rows.people],
        [{"cancelled": False, **each, "published": True, "currency": "RON"} for each in rows.bills],
        [dict(each) for each in rows.lines],
    )


@asynccontextmanager
async def open_rows(kind: str, folder: Path, spoil: Spoiler, postgres_url: str = "") -> AsyncIterator[Billing]:
    """Open a backend over spoilt rows: `memory`, or `sql` and `mapped`, on PostgreSQL when given its URL."""
    rows = sound_rows()
    spoil(rows)
    if kind == "memory":
        kept = build_book().rows
        kept.people[:], kept.bills[:], kept.lines[:] = rows.people, rows.bills, rows.lines
        yield MemoryBilling(kept, lambda: TODAY)
        return
    database = connect(postgres_url or f"sqlite:///{folder}/{kind}.db")
    try:
        await (_fill_own_tables if kind == "sql" else _fill_mapped_tables)(database, rows)
        options = mapped_options() if kind == "mapped" else {}
        site = backend_site(database, lambda: TODAY, options, build_book())
        yield connect_backend(kind, replace(site, currency="RON"))
    finally:
        await database.close()


def mapped_options() -> dict[str, Any]:
    """Return the mapping of the operator's tables."""
    names = {"people": "subscribers", "bills": "bills", "lines": "lines"}
    return {
        names[part]: {"table": f"crm_{part}", **{name: name for name in columns}}
        for part, columns in MAPPED_COLUMNS.items()
    }


async def _fill_own_tables(database: Database, rows: HostileRows) -> None:
    """Fill our own tables past their column types: SQLite keeps what another program wrote."""
    await upgrade_database(database)

    def fill(connection: Connection) -> None:
        for part, table in OWN_TABLES.items():
            told = getattr(rows, part)
            kept = "status", "until", "published", "currency"
            names = [name for name in told[0] if name not in kept]
            _insert_rows(connection, table, names, told)

    await database.write(fill)


async def _fill_mapped_tables(database: Database, rows: HostileRows) -> None:
    def fill(connection: Connection) -> None:
        for part, names in MAPPED_COLUMNS.items():
            told = getattr(rows, part)
            types = {name: _column_type(connection, [row[name] for row in told]) for name in names}
            columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
            connection.exec_driver_sql(f"CREATE TABLE crm_{part} ({columns})")
            _insert_rows(connection, f"crm_{part}", names, told)

    await database.write(fill)


def _column_type(connection: Connection, values: Iterable[Any]) -> str:
    """Return a PostgreSQL type for these values; SQLite's columns take any."""
    if connection.dialect.name == "sqlite":
        return ""
    sample = next((each for each in values if each is not None), "")
    if isinstance(sample, datetime):
        return "timestamptz" if sample.tzinfo else "timestamp"
    kinds = {bool: "boolean", date: "date", Decimal: "numeric"}
    return kinds.get(type(sample), "text")


def _insert_rows(connection: Connection, table: str, names: Sequence[str], rows: Sequence[Row]) -> None:
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join(f":{name}" for name in names)
    is_text = connection.dialect.name == "sqlite"
    values = [{name: _as_text(row[name]) if is_text else row[name] for name in names} for row in rows]
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)


def _as_text(value: Any) -> Any:
    """Return a value as a program without types stores it."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def change(part: str, **values: Any) -> Spoiler:
    """Return a mode that sets columns in all rows of a table; a function is given the row's own value."""

    def spoil(rows: HostileRows) -> None:
        for row in getattr(rows, part):
            row.update(
                {name: set_to(row[name]) if callable(set_to) else set_to for name, set_to in values.items()}
            )

    return spoil


def add_person(**values: Any) -> Spoiler:
    """Return a mode with one more line, which is Ana's but for these values."""
    return lambda rows: rows.people.insert(0, {**rows.person(ANA), "id": "more", **values})


def add_bill(**values: Any) -> Spoiler:
    """Return a mode with one more bill, which is Ana's newest but for these values."""
    return lambda rows: rows.bills.insert(0, {**rows.bills_of(ANA)[0], **values})


def repeat_rows(rows: HostileRows) -> None:
    """Repeat every line and bill, as a view with a join may."""
    rows.people.extend([dict(each) for each in rows.people])
    rows.bills.extend([dict(each) for each in rows.bills])


def add_another_operator(rows: HostileRows) -> None:
    """Add another operator's rows with the same numbers, accounts and bills, but other amounts."""
    theirs = {"operator": "orange-fr"}
    rows.people.extend([{**each, **theirs, "id": f"fr-{each['id']}"} for each in rows.people])
    rows.bills.extend([{**each, **theirs, "total": Decimal(999)} for each in rows.bills])
    rows.lines.extend([{**each, **theirs, "amount": Decimal(999)} for each in rows.lines])
