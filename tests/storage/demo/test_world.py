"""The demo data is as the README describes it, on any day of the month."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from flows.domain.bill_delivery import BillDestination
from flows.domain.records import Secret
from storage.billing.sql import SqlBilling
from storage.credentials.passwords import SqlPasswords
from storage.demo.world import load_demo_world, seed_demo_world
from storage.sql.engine import Database
from tests.support.databases import CHEAP_HASHER, NOW, count_rows, mark_as_demo

TODAY = date(2026, 3, 14)
DAYS = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 14, 15, 16, 31)]
DAYS += [datetime(2026, 1, 1, 0, 30, tzinfo=UTC), datetime(2025, 12, 31, 23, 30, tzinfo=UTC)]


async def seed_world(database: Database, *operators: str, now: datetime = NOW, mark: bool = True) -> None:
    """Insert the demo data, or only that of the given operators; `mark` makes the database the demo's first."""
    passwords, world = SqlPasswords(database, hasher=CHEAP_HASHER), load_demo_world()
    if mark:
        await mark_as_demo(database)
    await seed_demo_world(database, passwords, now, {name: world[name] for name in operators or world})
    passwords.close()


def build_backend(database: Database, operator: str, today: date = TODAY) -> SqlBilling:
    return SqlBilling(database, operator, lambda: today)


async def test_everybody_is_there_and_twice_is_once(database: Database) -> None:
    await seed_world(database)
    counts = [
        await count_rows(database, table) for table in ("billing_subscribers", "billing_bills", "passwords")
    ]
    await seed_world(database)
    again = [
        await count_rows(database, table) for table in ("billing_subscribers", "billing_bills", "passwords")
    ]
    assert counts == again == [26, 77, 15]


@pytest.mark.parametrize(
    ("operator", "msisdn", "kind", "secret"),
    [
        ("orange-ro", "+40740000101", "password", "ThankYou1"),
        ("tunisie-telecom", "+21671000102", "customer_code", "88441207"),
        ("orange-fr", "+33600000101", "pin", "2580"),
    ],
)
async def test_secrets_are_those_of_the_file(
    database: Database, operator: str, msisdn: str, kind: str, secret: str
) -> None:
    await seed_world(database, operator)
    passwords = SqlPasswords(database, hasher=CHEAP_HASHER)
    assert await passwords.verify_password(operator, msisdn, Secret(secret), kind, NOW) == "ok"
    passwords.close()


async def test_what_was_changed_in_the_demo_stays_changed(database: Database) -> None:
    await seed_world(database, "orange-ro")
    billing, passwords = build_backend(database, "orange-ro"), SqlPasswords(database, hasher=CHEAP_HASHER)
    await billing.set_media("40740000101", BillDestination("email"))
    await passwords.set_password("orange-ro", "+40740000101", Secret("Another1"), "password", NOW)
    await seed_world(database, "orange-ro")
    assert (await billing.get_media("40740000101")).media == "email"
    told = await passwords.verify_password("orange-ro", "+40740000101", Secret("Another1"), "password", NOW)
    passwords.close()
    assert told == "ok"


async def test_anas_bills_are_as_listed(database: Database) -> None:
    await seed_world(database, "orange-ro")
    newest, second, *_ = await build_backend(database, "orange-ro").list_bills("40740000101", 12)
    assert (newest.number, newest.issued, newest.state) == ("ORO-202603-0101", date(2026, 3, 1), "due")
    assert (str(newest.total), str(newest.tax), str(newest.remaining)) == ("79.90", "13.87", "79.90")
    assert newest.due == date(2026, 3, 17)
    assert (str(second.total), second.state, second.due) == ("65.00", "paid", date(2026, 2, 15))


async def test_dinars_have_three_decimals(database: Database) -> None:
    await seed_world(database, "tunisie-telecom")
    (newest, *_) = await build_backend(database, "tunisie-telecom").list_bills("21698000101", 1)
    assert (str(newest.total), str(newest.tax)) == ("45.230", "7.222")


async def test_jeanne_has_thirty_bills(database: Database) -> None:
    await seed_world(database, "orange-fr")
    bills = await build_backend(database, "orange-fr").list_bills("33600000101", 100)
    assert len(bills) == 30 and bills[-1].issued == date(2023, 10, 1)


async def test_paul_paid_a_part(database: Database) -> None:
    await seed_world(database, "orange-fr")
    (newest, *_) = await build_backend(database, "orange-fr").list_bills("33600000102", 1)
    assert (newest.state, newest.remaining) == ("part", Decimal("39.90"))


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (
            "33660000101",
            {
                "subscriptions": "24.99",
                "options": "5.00",
                "national": "1.30",
                "international": "0.90",
                "roaming": "0.60",
                "messages": "0.40",
                "third_party": "1.80",
            },
        ),
        ("33660000102", {"subscriptions": "24.99", "prorata": "9.82", "one_off": "10.00"}),
    ],
)
async def test_bouygues_lines_are_as_listed(database: Database, account: str, expected: dict[str, str]) -> None:
    await seed_world(database, "bouygues")
    billing = build_backend(database, "bouygues")
    (newest, *_) = await billing.list_bills(account, 1)
    lines = await billing.list_bill_lines(account, newest.id)
    assert {line.rubric: str(line.amount) for line in lines} == expected


@pytest.mark.parametrize("now", DAYS, ids=lambda day: day.strftime("%d.%m"))
async def test_states_hold_on_any_day_and_every_bill_adds_up(database: Database, now: datetime) -> None:
    await seed_world(database, "orange-ro", now=now)
    today = now.astimezone(ZoneInfo("Europe/Bucharest")).date()
    billing = build_backend(database, "orange-ro", today)
    newest = [(await billing.list_bills(f"4074000010{last}", 1))[0] for last in (1, 2, 3, 5)]
    assert [bill.state for bill in newest] == ["due", "paid", "due", "overdue"]
    assert all(bill.issued <= min(bill.due, today) for bill in newest)
    assert await billing.list_bills("40740000104", 1) == []
    for bill in newest:
        assert sum(line.amount for line in await billing.list_bill_lines(bill.account, bill.id)) == bill.total


async def test_the_newcomer_came_this_month_whenever_that_is(database: Database) -> None:
    for now in (datetime(2026, 2, 20, tzinfo=UTC), NOW):
        await seed_world(database, "maroc-telecom", "orange-ro", now=now)
    assert (await build_backend(database, "maroc-telecom").get_subscriber("+212661000105")).since == date(
        2026, 3, 1
    )
    assert (await build_backend(database, "orange-ro").get_subscriber("+40740000101")).since == date(2021, 3, 1)
