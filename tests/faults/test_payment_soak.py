"""Two hundred kills between any two steps of a payment in every run; and the books that would show a loss."""

import gc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.demo.payfake import Payfake
from storage.sql.engine import Database
from storage.sql.payment_schema import payment_resolutions
from storage.sql.tables import billing_payments
from tests.faults.payment_soak import open_soak
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.faults.gateway_processes import GatewayLauncher
from tests.support.faults.payment_books import PaymentBooks
from tests.support.faults.payment_life import ACCOUNT, OPERATOR


@pytest.mark.postgres
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the provider's, to a killed gateway
async def test_two_hundred_kills_between_any_two_steps_lose_and_double_no_money(
    launcher: GatewayLauncher, postgres_database: str
) -> None:
    async with open_soak(launcher, postgres_database, kill_count=200, seed=20260310) as soak:
        verdict = await soak.run()
        assert soak.killed >= 200 and await soak.books.is_settled()
    gc.collect()
    assert verdict.is_balanced and verdict.booked > 0 and verdict.refunded > verdict.by_hand > 0


@pytest.fixture
async def books(database: Database) -> PaymentBooks:
    made = PaymentBooks(database, Payfake(lambda: datetime.now(UTC)))
    await made.insert_bills(1)
    return made


def pay_session(books: PaymentBooks, payment: str) -> None:
    values = {"payment": payment, "label": "soak-00000", "amount": "10.00", "status": "paid"}
    books.payfake.sessions[f"s-{payment}"] = values | {"id": f"s-{payment}"}


async def book_at_billing(books: PaymentBooks, key: str) -> None:
    row: dict[str, Any] = {"operator": OPERATOR, "key": key, "account": ACCOUNT, "bill": "soak-00000"}
    row |= {"amount": Decimal("10.00"), "provider": "payfake", "reference": "", "at": datetime.now(UTC)}
    await books.database.write(lambda connection: connection.execute(insert(billing_payments), row))


async def test_the_books_name_money_that_nobody_has(books: PaymentBooks) -> None:
    pay_session(books, "p1")
    verdict = await books.read_verdict()
    assert verdict.lost == {"p1"} and not verdict.is_balanced


async def test_the_books_name_a_booking_without_money_and_a_bill_booked_twice(books: PaymentBooks) -> None:
    pay_session(books, "p1")
    await book_at_billing(books, "p1")
    assert (await books.read_verdict()).is_balanced
    await book_at_billing(books, "p2")
    assert (await books.read_verdict()).double == {"p2", "soak-00000"}


async def test_the_books_name_money_that_was_booked_and_given_back(books: PaymentBooks) -> None:
    pay_session(books, "p1")
    await book_at_billing(books, "p1")
    books.payfake.refunds["p1-r"] = {"session": "s-p1", "amount": "10.00"}
    assert (await books.read_verdict()).double == {"p1"}


async def test_the_books_name_money_that_was_given_back_twice(books: PaymentBooks) -> None:
    pay_session(books, "p1")
    books.payfake.refunds["p1-r"] = {"session": "s-p1", "amount": "10.00"}
    assert (await books.read_verdict()).is_balanced
    books.payfake.refunds["p1-r2"] = {"session": "s-p1", "amount": "10.00"}
    assert (await books.read_verdict()).double == {"p1"}


async def test_the_books_name_a_record_of_staff_that_the_provider_does_not_confirm(books: PaymentBooks) -> None:
    pay_session(books, "p1")
    books.payfake.refunds["p1-hand"] = {"session": "s-p1", "amount": "10.00"}
    row: dict[str, Any] = {"intent": "p1", "operator": OPERATOR, "state": "refunded", "staff": "i.pop"}
    row |= {"amount": Decimal("10.00"), "note": "n", "at": datetime.now(UTC)}
    await books.database.write(lambda connection: connection.execute(insert(payment_resolutions), row))
    assert (await books.read_verdict()).is_balanced
    books.payfake.refunds["p1-hand"]["amount"] = "9.00"
    verdict = await books.read_verdict()
    assert verdict.misrecorded == {"p1"} and not verdict.is_balanced
