"""Unreadable rows of our own billing tables: only that row is left out, and it is named and counted."""

from datetime import date

import pytest
from sqlalchemy import make_url, text

from flows.domain.failures import InvalidRecord
from storage.billing.sql import PAGE_SIZE, SqlBilling
from storage.sql.engine import Database
from storage.sql.tables import billing_bills, billing_entries, billing_lines, billing_subscribers
from tests.storage.billing.test_sql import AMINE, LINES, TODAY, bill_row, insert_rows, subscriber_row

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
REASON = "a row of our billing tables cannot be read"
SQLITE_ONLY = [
    ("due", "'2026-13-45'"),
    ("total", "'a lot'"),
    ("number", "CAST(x'ff41' AS TEXT)"),
]
"""SQLite keeps whatever another program wrote into a column."""
ANY_ENGINE = [("remaining", "'NaN'"), ("tax", "'Infinity'")]


@pytest.fixture
async def billing(database: Database) -> SqlBilling:
    """Provide five bills of one account; TT-2 is the one the tests spoil."""
    await insert_rows(database, billing_subscribers, subscriber_row(AMINE, "a1"))
    months = [bill_row(f"TT-{month}", "a1", date(2026, month, 1)) for month in (1, 2, 3)]
    earlier = [bill_row(f"TT-{day}", "a1", date(2025, 5, day)) for day in (4, 5)]
    await insert_rows(database, billing_bills, *months, *earlier)
    await insert_rows(database, billing_lines, *LINES)
    return SqlBilling(database, "tunisie-telecom", lambda: TODAY, "TND")


async def spoil_row(database: Database, table: str, column: str, value: str, key: str) -> None:
    statement = text(f"UPDATE {table} SET {column} = {value} WHERE {key}")
    await database.write(lambda connection: connection.execute(statement).close())


def skip_on_postgresql(database_url: str) -> None:
    if make_url(database_url).get_backend_name() != "sqlite":
        pytest.skip("PostgreSQL refuses such a value itself")


async def spoil_bill(
    database: Database, database_url: str, column: str, value: str, bill: str = "TT-2"
) -> None:
    if (column, value) not in ANY_ENGINE:
        skip_on_postgresql(database_url)
    await spoil_row(database, "billing_bills", column, value, f"id = '{bill}'")


@pytest.mark.parametrize(("column", "value"), [*SQLITE_ONLY, *ANY_ENGINE])
async def test_an_old_unreadable_bill_is_left_out_of_the_list(
    billing: SqlBilling,
    database: Database,
    database_url: str,
    column: str,
    value: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await spoil_bill(database, database_url, column, value)
    assert [each.id for each in await billing.list_bills("a1", 12)] == ["TT-3", "TT-1", "TT-5", "TT-4"]
    assert [each.id for each in await billing.list_bills("a1", 3, 1)] == ["TT-1", "TT-5"]
    assert "billing.record_rejected" in caplog.messages
    with pytest.raises(InvalidRecord):
        await billing.get_bill("a1", "TT-2")
    assert (await billing.get_bill("a1", "TT-1")).id == "TT-1"


@pytest.mark.parametrize(("column", "value"), [*SQLITE_ONLY, *ANY_ENGINE])
async def test_an_unreadable_bill_is_named_and_the_others_are_announced(
    billing: SqlBilling, database: Database, database_url: str, column: str, value: str
) -> None:
    await spoil_bill(database, database_url, column, value)
    pages = [page async for page in billing.list_issued_bills(*YEAR)]
    assert [bill.id for page in pages for bill, _ in page] == ["TT-1", "TT-3"]
    [rejected] = [each for page in pages for each in page.rejected]
    assert rejected.bill_id == "TT-2" and rejected.reason
    assert sum(page.without_holder for page in pages) == 0


async def test_the_newest_unreadable_bill_hides_the_one_before(
    billing: SqlBilling, database: Database, database_url: str
) -> None:
    await spoil_bill(database, database_url, "due", "'soon'", "TT-3")
    with pytest.raises(InvalidRecord):
        await billing.list_bills("a1", 12)


async def test_many_unreadable_bills_over_several_pages_are_all_named(
    database: Database, database_url: str
) -> None:
    skip_on_postgresql(database_url)
    await insert_rows(database, billing_subscribers, subscriber_row(AMINE, "a1"))
    every = [f"B{number:05}" for number in range(2 * PAGE_SIZE + 10)]
    await insert_rows(database, billing_bills, *(bill_row(name, "a1", date(2026, 3, 1)) for name in every))
    bad = [*every[::700], *every[PAGE_SIZE - 20 : PAGE_SIZE + 20], every[-1]]
    listed = ", ".join(f"'{name}'" for name in bad)
    await spoil_row(database, "billing_bills", "total", "'?'", f"id IN ({listed})")
    billing = SqlBilling(database, "tunisie-telecom", lambda: TODAY, "TND")
    pages = [page async for page in billing.list_issued_bills(*YEAR)]
    assert sorted(each.bill_id for page in pages for each in page.rejected) == sorted(set(bad))
    assert [bill.id for page in pages for bill, _ in page] == [each for each in every if each not in bad]


async def test_a_holder_that_cannot_be_read_is_named_by_the_bill(
    billing: SqlBilling, database: Database, database_url: str
) -> None:
    skip_on_postgresql(database_url)
    await insert_rows(database, billing_subscribers, subscriber_row("+21698000102", "a2"))
    await insert_rows(database, billing_bills, bill_row("TT-9", "a2", date(2026, 3, 1)))
    await spoil_row(database, "billing_subscribers", "since", "'long ago'", "account = 'a2'")
    pages = [page async for page in billing.list_issued_bills(*YEAR)]
    assert [(each.bill_id, each.reason) for page in pages for each in page.rejected] == [("TT-9", REASON)]
    assert len([bill for page in pages for bill, _ in page]) == 3
    for read in (billing.get_subscriber("+21698000102"), billing.get_account_holder("a2")):
        with pytest.raises(InvalidRecord):
            await read


async def test_a_detail_with_an_unreadable_line_is_not_shown(
    billing: SqlBilling, database: Database, database_url: str
) -> None:
    skip_on_postgresql(database_url)
    await spoil_row(database, "billing_lines", "amount", "'x'", "rubric = 'options'")
    with pytest.raises(InvalidRecord):
        await billing.list_bill_lines("a1", "TT-3")


async def test_an_unreadable_purchase_hides_no_other(
    billing: SqlBilling, database: Database, database_url: str
) -> None:
    skip_on_postgresql(database_url)
    row = {"operator": "tunisie-telecom", "account": "a1", "what": "purchases", "kind": "content", "amount": 1}
    days = [{**row, "at": date(2026, 3, day)} for day in (1, 2, 3)]
    await insert_rows(database, billing_entries, *days)
    await spoil_row(database, "billing_entries", "amount", "'free'", "at = '2026-03-02'")
    assert [each.at.day for each in await billing.list_entries("a1", "purchases", 9)] == [3, 1]


@pytest.mark.parametrize(("column", "value"), [*SQLITE_ONLY, *ANY_ENGINE])
async def test_a_subscriber_is_read_without_the_newest_bill_that_cannot_be(
    billing: SqlBilling, database: Database, database_url: str, column: str, value: str
) -> None:
    await spoil_bill(database, database_url, column, value, "TT-3")
    found, bills = await billing.get_subscriber_and_bill(AMINE)
    assert (found.account, bills) == ("a1", None)
