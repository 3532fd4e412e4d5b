"""The `mapped` backend: an operator's own tables, read under their names and never written."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotEligible, NotFound
from flows.domain.ports import Billing, BillingCycles
from storage.billing.backend import connect_backend
from storage.sql.engine import connect
from tests.support.billing.backends import backend_site, build_book, open_backend

ANA, BARBU = "40740000101", "40740000102"


@pytest.fixture
async def mapped(tmp_path: Path) -> AsyncIterator[Billing]:
    async with open_backend("mapped", tmp_path, build_book(), lambda: date(2026, 3, 10)) as billing:
        yield billing


async def test_bill_media_are_read_and_a_change_is_refused(mapped: Billing) -> None:
    assert [(await mapped.get_media(each)).media for each in (ANA, BARBU)] == ["paper", "email"]
    assert not await mapped.set_media(BARBU, BillDestination("email"))
    with pytest.raises(NotEligible):
        await mapped.set_media(ANA, BillDestination("email"))
    assert (await mapped.get_media(ANA)).media == "paper"


OWN_TABLES = {
    "subscribers": {
        "table": "crm_lines",
        **{name: name for name in ("id", "msisdn", "account", "since", "status", "until")},
    },
    "bills": {
        "table": "crm_bills",
        **{name: name for name in ("id", "account", "issued", "due", "total", "remaining", "currency")},
    },
}
LINES = (
    "(1, 40740000101, 71, '2015-01-01', 'terminated', NULL)",
    "(2, 40740000101, 72, '2016-01-01', '', '2020-01-01')",
    "(3, 40740000101, 73, '2024-01-01', 'active', NULL)",
    "(4, 40740000102, 74, '2020-01-01', 'active', NULL), (5, 40740000102, 75, '2021-01-01', 'active', NULL)",
)
BILLS = (
    "(9, 73, '2026-03-01', '2026-03-15', 10, 10, 'RON')",
    "(10, 73, '2026-03-01', '2026-03-15', 20, 0.004, 'RON')",
    "(8, 73, '2026-03-01', NULL, 30, 30, 'RON'), (7, 73, '2026-03-01', '2026-03-15', 40, 40, 'EUR')",
    "(6, 71, '2026-03-01', '2026-03-15', 50, 50, 'RON')",
)


@pytest.fixture
async def own_tables(tmp_path: Path) -> AsyncIterator[Billing]:
    """Provide tables with numeric keys, a recycled number, a number of two accounts, and bad bills."""
    database = connect(f"sqlite:///{tmp_path}/own.db")

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE TABLE crm_lines (id INTEGER, msisdn INTEGER, account INTEGER, since, status, until)"
        )
        connection.exec_driver_sql(
            "CREATE TABLE crm_bills (id INTEGER, account INTEGER, issued, due, total, remaining, currency)"
        )
        for table, rows in (("crm_lines", LINES), ("crm_bills", BILLS)):
            for values in rows:
                connection.exec_driver_sql(f"INSERT INTO {table} VALUES {values}")

    await database.write(fill)
    options = {**OWN_TABLES, "currency": "RON"}
    yield connect_backend("mapped", backend_site(database, lambda: date(2026, 3, 10), options))
    await database.close()


async def test_a_recycled_number_is_its_current_owners_and_two_owners_are_none(own_tables: Billing) -> None:
    found = await own_tables.get_subscriber(f"+{ANA}")
    assert (found.account, found.msisdn) == ("73", f"+{ANA}")
    with pytest.raises(NotFound):
        await own_tables.get_subscriber(f"+{BARBU}")


async def test_numeric_keys_are_found_and_sorted_as_numbers(own_tables: Billing) -> None:
    assert [(each.id, each.state) for each in await own_tables.list_bills("73", 9)] == [
        ("10", "paid"),
        ("9", "due"),
    ]
    assert (await own_tables.get_bill("73", "9")).total == 10
    for account, bill in (("73", "6"), ("71", "9"), ("73", "nine"), ("73", "9.0")):
        with pytest.raises(NotFound):
            await own_tables.get_bill(account, bill)


async def test_unusable_rows_of_a_cycle_are_named(own_tables: Billing) -> None:
    assert isinstance(own_tables, BillingCycles)
    [page] = [each async for each in own_tables.list_issued_bills(date(2026, 3, 1), date(2026, 3, 31))]
    assert [bill.id for bill, _ in page] == ["9", "10"] and page.without_holder == 1
    assert [each.bill_id for each in page.rejected] == ["7", "8"]
    assert "another currency" in page.rejected[0].reason and "due" in page.rejected[1].reason
