"""The `sql` backend: bills from our own tables, their amounts and their state as of today."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Select, Table
from sqlalchemy.dialects import postgresql, sqlite

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine
from storage.billing._sql_statements import SELECT_HOLDERS
from storage.billing.backend import BackendContext, connect_backend
from storage.billing.sql import SqlBilling
from storage.outbox.bulk_enqueue import SELECT_PREFERENCES
from storage.sql.engine import Database
from storage.sql.tables import billing_bills, billing_lines, billing_subscribers

TODAY = date(2026, 3, 14)
AMINE = "+21698000101"


def subscriber_row(msisdn: str, account: str, operator: str = "tunisie-telecom") -> dict[str, Any]:
    return {
        "id": f"{operator}-{account}",
        "operator": operator,
        "msisdn": msisdn,
        "account": account,
        "name": "Amine Ben Salah",
        "kind": "mobile",
        "segment": "residential",
        "language": "fr",
        "since": date(2021, 3, 1),
        "media": "paper",
    }


def bill_row(name: str, account: str, issued: date, remaining: str = "45.230", **more: Any) -> dict[str, Any]:
    row = {
        "operator": "tunisie-telecom",
        "id": name,
        "number": name,
        "account": account,
        "issued": issued,
        "due": date(2026, 3, 14),
        "total": Decimal("45.230"),
        "tax": Decimal("7.222"),
        "remaining": Decimal(remaining),
        "cancelled": False,
    }
    return {**row, **more}


LINES = [
    {
        "operator": "tunisie-telecom",
        "bill": "TT-3",
        "rubric": "subscriptions",
        "user": AMINE,
        "amount": Decimal("40"),
    },
    {
        "operator": "tunisie-telecom",
        "bill": "TT-3",
        "rubric": "options",
        "user": AMINE,
        "amount": Decimal("5.230"),
    },
]


async def insert_rows(database: Database, table: Table, *rows: dict[str, Any]) -> None:
    await database.write(lambda connection: connection.execute(table.insert(), list(rows)).close())


@pytest.fixture
async def billing(database: Database) -> SqlBilling:
    await insert_rows(
        database, billing_subscribers, subscriber_row(AMINE, "a1"), subscriber_row("+21671000102", "a2")
    )
    months = [bill_row(f"TT-{month}", "a1", date(2026, month, 1)) for month in (1, 2, 3, 4)]
    await insert_rows(database, billing_bills, *months, bill_row("TT-other", "a2", date(2026, 3, 1)))
    await insert_rows(database, billing_lines, *LINES)
    return SqlBilling(database, "tunisie-telecom", lambda: TODAY)


async def test_a_number_returns_its_subscriber(billing: SqlBilling) -> None:
    amine = await billing.get_subscriber(AMINE)
    assert (amine.account, amine.since, amine.email, amine.email_validated) == (
        "a1",
        date(2021, 3, 1),
        "",
        False,
    )


async def test_an_unknown_number_is_not_found(billing: SqlBilling, database: Database) -> None:
    with pytest.raises(NotFound):
        await billing.get_subscriber("+21698999999")
    with pytest.raises(NotFound):
        await SqlBilling(database, "orange-ro", lambda: TODAY).get_subscriber(AMINE)


async def test_bills_come_newest_first_and_the_future_has_none(billing: SqlBilling) -> None:
    assert [each.id for each in await billing.list_bills("a1", 12)] == ["TT-3", "TT-2", "TT-1"]
    assert [each.id for each in await billing.list_bills("a1", 1, 1)] == ["TT-2"]
    with pytest.raises(NotFound):
        await billing.get_bill("a1", "TT-4")


async def test_amounts_keep_the_millimes(billing: SqlBilling) -> None:
    found = await billing.get_bill("a1", "TT-3")
    expected = Bill(
        "TT-3",
        "TT-3",
        "a1",
        date(2026, 3, 1),
        TODAY,
        Decimal("45.230"),
        Decimal("7.222"),
        Decimal("45.230"),
        "due",
    )
    assert found == expected and str(found.total) == "45.230"


async def test_T18_nobody_sees_another_accounts_bill(billing: SqlBilling) -> None:
    with pytest.raises(NotFound):
        await billing.get_bill("a1", "TT-other")
    with pytest.raises(NotFound):
        await billing.list_bill_lines("a2", "TT-3")


async def test_lines_come_in_their_order(billing: SqlBilling) -> None:
    subscriptions = BillLine("subscriptions", AMINE, Decimal("40"), id="1")
    options = BillLine("options", AMINE, Decimal("5.230"), id="2")
    assert await billing.list_bill_lines("a1", "TT-3") == [subscriptions, options]
    assert await billing.list_bill_lines("a1", "TT-2") == []


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "due"),
        ({"due": date(2026, 3, 13)}, "overdue"),
        ({"remaining": Decimal("5.230")}, "part"),
        ({"remaining": Decimal("5.230"), "due": date(2026, 3, 13)}, "overdue"),
        ({"remaining": Decimal("0.000"), "due": date(2026, 3, 13)}, "paid"),
        ({"total": Decimal("-3.000"), "remaining": Decimal("-3.000")}, "credit"),
        ({"cancelled": True}, "cancelled"),
    ],
)
async def test_a_bills_state_follows_from_its_amounts_and_today(
    billing: SqlBilling, database: Database, changed: dict[str, Any], state: str
) -> None:
    await insert_rows(database, billing_bills, bill_row("TT-x", "a1", date(2026, 3, 2), **changed))
    assert (await billing.get_bill("a1", "TT-x")).state == state


async def test_media_changes_once_and_for_the_whole_account(billing: SqlBilling) -> None:
    assert (await billing.get_media("a1")).media == "paper"
    assert [await billing.set_media("a1", BillDestination("email")) for _ in range(2)] == [True, False]
    assert [(await billing.get_media(each)).media for each in ("a1", "a2")] == ["email", "paper"]


async def test_media_of_an_unknown_account_is_not_found(billing: SqlBilling) -> None:
    with pytest.raises(NotFound):
        await billing.get_media("a9")
    with pytest.raises(NotFound):
        await billing.set_media("a9", BillDestination("email"))


async def test_a_backend_is_found_by_its_files_name(database: Database) -> None:
    await insert_rows(database, billing_subscribers, subscriber_row(AMINE, "a1"))
    found = connect_backend("sql", BackendContext("tunisie-telecom", database, lambda: TODAY))
    assert (await found.get_subscriber(AMINE)).account == "a1"


async def test_an_unknown_backend_is_refused_by_name(database: Database) -> None:
    with pytest.raises(ValueError, match=r"no billing backend 'sap'; there are .*sql"):
        connect_backend("sap+https://example.test", BackendContext("tunisie-telecom", database, lambda: TODAY))


@pytest.mark.parametrize("statement", [SELECT_HOLDERS, SELECT_PREFERENCES])
def test_a_page_is_joined_and_not_compared_row_by_row(statement: Select[Any]) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
    compiled = str(statement.compile(dialect=dialect))
    assert "IN (SELECT unnest(" in compiled and "ANY" not in compiled
    assert "json_each" in str(statement.compile(dialect=sqlite.dialect()))


async def test_a_subscriber_and_the_newest_bill_are_those_of_two_reads(billing: SqlBilling) -> None:
    found = await billing.get_subscriber_and_bill(AMINE)
    assert found == (await billing.get_subscriber(AMINE), tuple(await billing.list_bills("a1", 1)))


@pytest.mark.parametrize(
    ("numbers", "newest"),
    [(["TT-9", "TT-10"], "TT-10"), (["A-2", "B-1"], "B-1")],
    ids=["longer number", "later number"],
)
async def test_of_the_bills_of_one_day_the_newest_is_the_lists_first(
    database: Database, numbers: list[str], newest: str
) -> None:
    await insert_rows(database, billing_subscribers, subscriber_row(AMINE, "a1"))
    await insert_rows(database, billing_bills, *(bill_row(name, "a1", TODAY) for name in numbers))
    billing = SqlBilling(database, "tunisie-telecom", lambda: TODAY)
    _, bills = await billing.get_subscriber_and_bill(AMINE)
    assert [bill.id for bill in bills or ()] == [newest]
    assert [bill.id for bill in await billing.list_bills("a1", 1)] == [newest]


async def test_a_subscriber_without_an_issued_bill_has_none(billing: SqlBilling, database: Database) -> None:
    await insert_rows(database, billing_subscribers, subscriber_row("+21698000103", "a3"))
    await insert_rows(database, billing_bills, bill_row("TT-5", "a3", date(2026, 4, 1)))
    found, bills = await billing.get_subscriber_and_bill("+21698000103")
    assert (found.account, bills) == ("a3", ())


async def test_another_operators_subscriber_is_not_found_with_a_bill_either(
    billing: SqlBilling, database: Database
) -> None:
    foreign = SqlBilling(database, "orange-ro", lambda: TODAY)
    for read in (foreign.get_subscriber_and_bill(AMINE), billing.get_subscriber_and_bill("+21698999999\0")):
        with pytest.raises(NotFound):
            await read


async def test_bills_of_the_same_account_name_at_another_operator_are_not_read(
    billing: SqlBilling, database: Database
) -> None:
    stranger = bill_row("TT-0", "a1", date(2026, 3, 9)) | {"operator": "orange-ro"}
    await insert_rows(database, billing_bills, stranger)
    _, bills = await billing.get_subscriber_and_bill(AMINE)
    assert [bill.id for bill in bills or ()] == ["TT-3"]
