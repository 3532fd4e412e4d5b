"""Hostile rows: whatever stands in billing tables, the caller sees their own sound data or none."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flows.domain.failures import InvalidRecord, NotFound
from flows.domain.ports import Billing, BillingCycles
from tests.storage.billing.test_hostile_backends import everything_shown
from tests.support.billing.hostile_rows import (
    ANA,
    TODAY,
    HostileRows,
    Spoiler,
    add_another_operator,
    add_bill,
    add_person,
    change,
    open_rows,
    repeat_rows,
)

TOMORROW = TODAY + timedelta(days=1)
ZONE = ZoneInfo("Europe/Bucharest")
ALL = ("memory", "sql", "mapped", "sql-postgres", "mapped-postgres")
OUR_TABLES = ("sql", "sql-postgres")
THEIR_TABLES = ("mapped", "mapped-postgres")
"""An operator's tables have the constraints the operator gave them: here none."""
UNTYPED = ("sql", "mapped")
"""SQLite keeps what no column of PostgreSQL takes."""
Opener = Callable[[str, Spoiler], Any]


@pytest.fixture
def open_spoilt(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Provide `open_rows` by a kind's name, on a database of its own."""

    def open_kind(kind: str, spoil: Spoiler) -> Any:
        name, _, server = kind.partition("-")
        url = str(request.getfixturevalue("postgres_database")) if server else ""
        return open_rows(name, tmp_path, spoil, url)

    return open_kind


def cases(*modes: tuple[str, Spoiler, tuple[str, ...]]) -> list[Any]:
    """Return a parameter for each mode and kind of table."""
    return [
        pytest.param(kind, spoil, id=f"{name}-{kind}", marks=pytest.mark.postgres if "postgres" in kind else ())
        for name, spoil, kinds in modes
        for kind in kinds
    ]


def late_evening(day: date) -> datetime:
    return datetime.combine(day, time(23, 30))


def local_midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def if_nothing_remains(amount: str) -> Callable[[Decimal], Decimal]:
    return lambda remaining: remaining or Decimal(amount)


FORMER = {"account": "40740000999", "since": date(2010, 1, 1), "name": "Former owner"}
HARMLESS = cases(
    ("a_bill_of_tomorrow", add_bill(id="T", number="T", issued=TOMORROW), ALL),
    ("a_bill_of_an_unknown_account", add_bill(id="U", number="U", account="40740009999"), ALL),
    ("tiny_rest", change("bills", remaining=if_nothing_remains("0.004")), ALL),
    ("overpaid", change("bills", remaining=if_nothing_remains("-5")), ALL),
    ("many_decimals", change("bills", total=lambda total: total + Decimal("0.00000")), ALL),
    ("a_line_without_a_number", add_person(msisdn="circuit-7", since=date(2001, 1, 1)), ALL),
    ("a_line_of_tomorrow", add_person(msisdn="+40740000777", since=TOMORROW), ALL),
    ("the_next_owner", add_person(**{**FORMER, "since": TOMORROW}), ("memory", *THEIR_TABLES)),
    ("another_operator", add_another_operator, OUR_TABLES),
    ("a_terminated_owner", add_person(**FORMER, status="terminated"), THEIR_TABLES),
    ("an_owner_until_today", add_person(**FORMER, until=TODAY), THEIR_TABLES),
    ("for_ever", change("people", until=date(9999, 12, 31)), THEIR_TABLES),
    ("lines_of_no_bill", lambda rows: rows.lines.append({**rows.lines[0], "bill": "none"}), THEIR_TABLES),
    ("repeated_rows", repeat_rows, THEIR_TABLES),
    ("naive_instants", change("bills", issued=late_evening, due=late_evening), THEIR_TABLES),
    ("instants_of_utc", change("bills", issued=local_midnight, due=local_midnight), THEIR_TABLES),
    ("lines_since_an_instant", change("people", since=local_midnight), THEIR_TABLES),
    ("numbers_with_00", change("people", msisdn=lambda number: number.replace("+", "00")), THEIR_TABLES),
    ("numbers_of_digits", change("people", msisdn=lambda number: number[1:]), THEIR_TABLES),
    ("validated_by_letter", change("people", email_validated=lambda flag: "Y" if flag else "N"), THEIR_TABLES),
    ("validated_by_digit", change("people", email_validated=lambda flag: str(int(flag))), THEIR_TABLES),
    ("flags_by_word", change("bills", published="true", cancelled="false"), THEIR_TABLES),
    ("an_unpublished_bill", add_bill(id="U", number="U", published=False), THEIR_TABLES),
)


@pytest.mark.parametrize(("kind", "spoil"), HARMLESS)
async def test_rows_that_are_no_concern_of_the_caller_change_nothing(
    kind: str, spoil: Spoiler, open_spoilt: Opener, tmp_path: Path
) -> None:
    (tmp_path / "sound").mkdir()
    async with open_rows(kind.partition("-")[0], tmp_path / "sound", lambda _: None) as sound:
        expected = await everything_shown(sound)
    async with open_spoilt(kind, spoil) as billing:
        assert await everything_shown(billing) == expected


def spoil_bill(place: int, **values: Any) -> Spoiler:
    """Return a mode that spoils one of Ana's bills: 0 is the newest, -1 the oldest."""
    return lambda rows: rows.bills_of(ANA)[place].update(values)


def two_that_differ(place: int) -> Spoiler:
    """Return a mode with a second row of a bill, of another amount."""

    def spoil(rows: HostileRows) -> None:
        rows.bills.append({**rows.bills_of(ANA)[place], "total": Decimal("1.00")})

    return spoil


def unusable_bills(place: int) -> list[Any]:
    """Return every way in which one of Ana's bills cannot be used."""
    numbers = ("memory", *THEIR_TABLES)
    return cases(
        ("not_a_number", spoil_bill(place, total=Decimal("NaN")), ALL),
        ("infinite", spoil_bill(place, remaining=Decimal("Infinity")), ALL),
        ("huge", spoil_bill(place, tax=Decimal("1e12")), ALL),
        ("no_amount", spoil_bill(place, total=None), numbers),
        ("no_rest", spoil_bill(place, remaining=None), numbers),
        ("words", spoil_bill(place, total="a lot"), ("memory", *UNTYPED)),
        ("a_comma", spoil_bill(place, total="12,50"), ("memory", *UNTYPED)),
        ("empty", spoil_bill(place, remaining=""), ("memory", *UNTYPED)),
        ("no_due_day", spoil_bill(place, due=None), THEIR_TABLES),
        ("no_such_day", spoil_bill(place, due="2026-13-45"), UNTYPED),
        ("another_currency", spoil_bill(place, currency="EUR"), THEIR_TABLES),
        ("two_that_differ", two_that_differ(place), THEIR_TABLES),
        ("cancelled_perhaps", spoil_bill(place, cancelled="perhaps"), ("mapped",)),
        ("published_perhaps", spoil_bill(place, published="perhaps"), ("mapped",)),
    )


async def read_cycle(billing: Billing) -> list[Any]:
    assert isinstance(billing, BillingCycles)
    return [page async for page in billing.list_issued_bills(date(2025, 1, 1), date(2026, 12, 31))]


@pytest.mark.parametrize(("kind", "spoil"), unusable_bills(-1))
async def test_an_old_unusable_row_hides_no_other_and_is_named(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        account = (await billing.get_subscriber(ANA)).account
        shown, pages = await billing.list_bills(account, 24), await read_cycle(billing)
        assert [bill.issued.month for bill in shown] == [3, 2, 1, 12, 11, 10, 9]
        [rejected] = [each for page in pages for each in page.rejected]
        assert rejected.bill_id == "ORO-202508-0101" and rejected.reason
        with pytest.raises(InvalidRecord):
            await billing.get_bill(account, rejected.bill_id)


@pytest.mark.parametrize(("kind", "spoil"), unusable_bills(0))
async def test_the_row_before_an_unusable_one_is_not_the_latest(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        account = (await billing.get_subscriber(ANA)).account
        with pytest.raises(InvalidRecord):
            await billing.list_bills(account, 24)


def spoil_line(amount: Any) -> Spoiler:
    """Return a mode that spoils one charge line of Ana's newest bill."""

    def spoil(rows: HostileRows) -> None:
        newest = rows.bills_of(ANA)[0]["id"]
        next(each for each in rows.lines if each["bill"] == newest)["amount"] = amount

    return spoil


@pytest.mark.parametrize(
    ("kind", "spoil"),
    cases(
        ("not_a_number", spoil_line(Decimal("NaN")), ALL),
        ("infinite", spoil_line(Decimal("Infinity")), ALL),
        ("none", spoil_line(None), ("memory", *THEIR_TABLES)),
        ("words", spoil_line("free"), ("memory", *UNTYPED)),
    ),
)
async def test_a_detail_with_an_unusable_line_is_not_shown(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        newest, before = await billing.list_bills((await billing.get_subscriber(ANA)).account, 2)
        with pytest.raises(InvalidRecord):
            await billing.list_bill_lines(newest.account, newest.id)
        assert sum(line.amount for line in await billing.list_bill_lines(before.account, before.id)) == 65


def spoil_person(**values: Any) -> Spoiler:
    """Return a mode that spoils Ana's line."""
    return lambda rows: rows.person(ANA).update(values)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    cases(
        ("no_id", spoil_person(id=None), THEIR_TABLES),
        ("no_first_day", spoil_person(since=None), THEIR_TABLES),
        ("no_such_day", spoil_person(since="long ago"), UNTYPED),
    ),
)
async def test_a_line_that_cannot_be_used_is_billing_that_is_down_and_its_bill_is_named(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        for read in (billing.get_subscriber(ANA), billing.get_account_holder("40740000101")):
            with pytest.raises(InvalidRecord):
                await read
        pages = await read_cycle(billing)
        assert len([each for page in pages for each in page.rejected]) == 8
        assert ANA not in {holder.msisdn for page in pages for _, holder in page}


@pytest.mark.parametrize(
    ("kind", "spoil"),
    cases(("two_owners", add_person(account="40740000999"), ("memory", *THEIR_TABLES))),
)
async def test_a_number_in_two_accounts_rows_is_nobodys_and_an_alert(
    kind: str, spoil: Spoiler, open_spoilt: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        with pytest.raises(NotFound):
            await billing.get_subscriber(ANA)
    assert "billing.ambiguous_owner" in caplog.messages and "40740000101" not in caplog.text


@pytest.mark.parametrize(
    ("kind", "spoil"),
    cases(("one_id_in_two_accounts", add_bill(account="40740000102", total=Decimal(999)), THEIR_TABLES)),
)
async def test_charge_lines_of_a_bill_id_that_two_accounts_have_are_shown_to_neither(
    kind: str, spoil: Spoiler, open_spoilt: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        for account, total in (("40740000101", Decimal("79.9")), ("40740000102", Decimal(999))):
            bill = await billing.get_bill(account, "ORO-202603-0101")
            assert bill.total == total
            with pytest.raises(InvalidRecord):
                await billing.list_bill_lines(account, bill.id)
    assert "billing.ambiguous_owner" in caplog.messages


@pytest.mark.parametrize(("kind", "spoil"), cases(("no_id", add_bill(id=None), THEIR_TABLES)))
async def test_a_bill_without_an_id_is_listed_without_one(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        pages = await read_cycle(billing)
        assert [each.bill_id for page in pages for each in page.rejected] == [""]


@pytest.mark.parametrize(
    ("kind", "spoil"),
    cases(("two_a_month", add_bill(id="ORO-202603-0101-2", number="ORO-202603-0101-2"), ALL)),
)
async def test_two_bills_of_a_month_are_both_shown_and_both_announced(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        shown = await billing.list_bills("40740000101", 2)
        assert [bill.id for bill in shown] == ["ORO-202603-0101-2", "ORO-202603-0101"]
        announced = [bill.id for page in await read_cycle(billing) for bill, _ in page]
        assert {bill.id for bill in shown} <= set(announced)


def issue_late_today(rows: HostileRows) -> None:
    """Write days as instants, and issue Ana's newest bill late in the evening of today."""
    change("bills", issued=late_evening)(rows)
    rows.bills_of(ANA)[0]["issued"] = late_evening(TODAY)


@pytest.mark.parametrize(("kind", "spoil"), cases(("late", issue_late_today, THEIR_TABLES)))
async def test_a_bill_of_the_evening_of_a_cycles_last_day_is_in_it(
    kind: str, spoil: Spoiler, open_spoilt: Opener
) -> None:
    async with open_spoilt(kind, spoil) as billing:
        pages = [page async for page in billing.list_issued_bills(TODAY, TODAY)]
        assert [bill.id for page in pages for bill, _ in page] == ["ORO-202603-0101"]
