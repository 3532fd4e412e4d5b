"""Booking contract: a payment lowers the bill once per key, whatever the backend and whatever gets lost."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import Connection

from flows.domain.account_activity import account_activity
from flows.domain.failures import (
    UNANSWERED_SECONDS,
    BookingUnconfirmed,
    Down,
    InvalidRecord,
    NotEligible,
    NotFound,
)
from flows.domain.payment_ports import PaymentBooking
from flows.domain.records import Bill
from gateway.demo.bss.booked_payments import REFUSED_PAYMENT
from gateway.demo.bss.fault_modes import BOOKS_LATE, LOST_ANSWER
from storage.billing.sql import SqlBilling
from storage.sql.engine import Database, connect
from tests.support.billing.backends import (
    LONG_TIMEOUTS,
    OPERATOR,
    BackendUnderTest,
    build_book,
    fill_tables,
    open_backend,
    payment_of,
)
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url

TODAY = date(2026, 3, 10)
ANA, BARBU, FIRMA = "+40740000101", "+40740000102", "+40740000103"
REMOTE = ["tmf678-v4", "tmf678-v5", "killbill"]
NAMES = ["memory", "sqlite", *REMOTE]
BACKENDS = [*map(pytest.param, NAMES), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    kept = build_book()
    if request.param != "postgres":
        async with open_backend(request.param, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
            yield BackendUnderTest(request.param, billing, kept)
        return
    database = connect(str(request.getfixturevalue("postgres_database")))
    await fill_tables(database, kept)
    yield BackendUnderTest("postgres", SqlBilling(database, "orange-ro", lambda: TODAY), kept)
    await database.close()


def bookings(backend: BackendUnderTest) -> PaymentBooking:
    assert isinstance(backend.billing, PaymentBooking)
    return backend.billing


async def unpaid_bill(backend: BackendUnderTest) -> Bill:
    account = await backend.account_of(ANA)
    return next(bill for bill in await backend.billing.list_bills(account, 12) if bill.remaining > 0)


async def test_a_payment_is_seen_at_once_in_bill_and_list(backend: BackendUnderTest) -> None:
    bill = await unpaid_bill(backend)
    assert await bookings(backend).book_payment(payment_of(bill)) == "booked"
    listed = await backend.billing.list_bills(bill.account, 12)
    assert [each.state for each in listed if each.id == bill.id] == ["paid"]
    assert (await backend.billing.get_bill(bill.account, bill.id)).remaining == 0


async def test_a_key_is_booked_once(backend: BackendUnderTest) -> None:
    bill = await unpaid_bill(backend)
    half = replace(payment_of(bill), amount=Decimal("1.00"))
    assert not await bookings(backend).find_booking(half)
    assert [await bookings(backend).book_payment(half) for _ in range(2)] == ["booked", "already"]
    assert await bookings(backend).find_booking(half)
    left = (await bookings(backend).read_live_bill(bill.account, bill.id)).remaining
    assert left == bill.remaining - Decimal("1.00")


async def test_a_second_payer_is_not_booked(backend: BackendUnderTest) -> None:
    bill = await unpaid_bill(backend)
    await bookings(backend).book_payment(payment_of(bill))
    assert await bookings(backend).book_payment(payment_of(bill, "b2")) == "excess"
    assert not await bookings(backend).find_booking(payment_of(bill, "b2"))


async def test_a_bill_of_another_account_is_not_booked(backend: BackendUnderTest) -> None:
    bill = await unpaid_bill(backend)
    stranger = replace(payment_of(bill), account=await backend.account_of(BARBU))
    with pytest.raises(NotFound):
        await bookings(backend).book_payment(stranger)
    assert (await bookings(backend).read_live_bill(bill.account, bill.id)).remaining == bill.remaining


async def test_a_live_account_has_the_bills_of_the_list_and_the_mandate(backend: BackendUnderTest) -> None:
    for number, reference in ((ANA, None), (FIRMA, "ORO000103")):
        account = await backend.account_of(number)
        live = await bookings(backend).read_live_account(account, 6)
        assert live.bills == await backend.billing.list_bills(account, 6)
        assert (live.mandate and live.mandate.reference) == reference
        assert live.mandate == await account_activity(backend.billing).find_debit(account)


async def test_tables_that_are_not_ours_book_nothing(tmp_path: Path) -> None:
    async with open_backend("mapped", tmp_path, build_book(), lambda: TODAY) as billing:
        assert not isinstance(billing, PaymentBooking) and "payments" not in billing.capabilities


@pytest.fixture(params=REMOTE)
async def remote(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    kept = build_book()
    async with open_backend(request.param, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        yield BackendUnderTest(request.param, billing, kept)


async def test_a_live_account_is_read_past_the_cache_and_drops_what_was_cached(
    remote: BackendUnderTest,
) -> None:
    bill = await unpaid_bill(remote)
    for row in remote.book.rows.bills:
        row["remaining"] = min(row["remaining"], Decimal("1.00"))
    assert await unpaid_bill(remote) == bill
    live = await bookings(remote).read_live_account(bill.account, 12)
    assert [each.remaining for each in live.bills if each.id == bill.id] == [Decimal("1.00")]
    assert (await unpaid_bill(remote)).remaining == Decimal("1.00")


async def test_a_post_whose_answer_was_lost_is_found_and_not_made_again(remote: BackendUnderTest) -> None:
    bill = await unpaid_bill(remote)
    remote.book.faults.add(LOST_ANSWER)
    with pytest.raises(BookingUnconfirmed):
        await bookings(remote).book_payment(payment_of(bill))
    assert await bookings(remote).book_payment(payment_of(bill)) == "already"
    assert [each["key"] for each in remote.book.payments] == ["a1"]


async def test_a_payment_that_is_booked_late_is_waited_for(remote: BackendUnderTest) -> None:
    bill = await unpaid_bill(remote)
    remote.book.faults.add(BOOKS_LATE)
    with pytest.raises(BookingUnconfirmed) as unconfirmed:
        await bookings(remote).book_payment(payment_of(bill))
    assert unconfirmed.value.retry_after_seconds == UNANSWERED_SECONDS
    remote.book.apply_accepted()
    assert await bookings(remote).book_payment(payment_of(bill)) == "already"
    assert [each["key"] for each in remote.book.payments] == ["a1"]


async def test_our_tables_book_once_where_the_commit_was_not_confirmed(database: Database) -> None:
    await fill_tables(database, kept := build_book())
    tables = BackendUnderTest("sql", SqlBilling(database, OPERATOR, lambda: TODAY), kept)
    bill, write = await unpaid_bill(tables), database.write

    async def lose_answer(job: Callable[[Connection], Any]) -> None:
        await write(job)
        raise Down("the connection broke after the commit")

    object.__setattr__(database, "write", lose_answer)
    with pytest.raises(Down):
        await bookings(tables).book_payment(payment_of(bill))
    object.__setattr__(database, "write", write)
    assert await bookings(tables).book_payment(payment_of(bill)) == "already"
    assert (await bookings(tables).read_live_bill(bill.account, bill.id)).remaining == 0


async def test_a_listed_payment_that_cannot_be_read_is_no_proof_of_none(remote: BackendUnderTest) -> None:
    if remote.name == "killbill":
        return
    bill = await unpaid_bill(remote)
    await bookings(remote).book_payment(payment_of(bill))
    remote.book.faults.add("shallow_lists")
    remote.book.override_response = missing_payment
    with pytest.raises(InvalidRecord):
        await bookings(remote).book_payment(payment_of(bill))
    assert [each["key"] for each in remote.book.payments] == ["a1"]


def missing_payment(request: web.Request) -> web.Response | None:
    return web.Response(status=404) if "/payment/P-" in request.path else None


async def test_a_server_that_ignores_the_key_hides_nothing(remote: BackendUnderTest) -> None:
    bill = await unpaid_bill(remote)
    remote.book.faults |= {"no_filter", "own_limit", "no_count", "shallow_lists"}
    other = replace(payment_of(bill), amount=Decimal("1.00"))
    for key in map(str, range(7)):
        assert await bookings(remote).book_payment(replace(other, key=key)) == "booked"
    assert await bookings(remote).book_payment(replace(other, key="6")) == "already"


async def test_a_refused_payment_is_told(remote: BackendUnderTest) -> None:
    bill = await unpaid_bill(remote)
    remote.book.faults.add(REFUSED_PAYMENT)
    with pytest.raises(NotEligible):
        await bookings(remote).book_payment(payment_of(bill))
