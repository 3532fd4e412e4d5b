"""Promises to pay at every backend that takes them: recorded once, one open for an account."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flows.domain.promise_records import PaymentPromise, PromiseBilling, first_part
from tests.storage.billing.test_contract import ANA, FIRMA
from tests.support.billing.backends import BackendUnderTest
from tests.support.billing.every_backend import TODAY
from tests.support.billing.every_backend import backend as backend

WITHOUT_PROMISES = {"mapped", "killbill"}


async def promise_of(backend: BackendUnderTest, msisdn: str = ANA) -> PaymentPromise:
    account = await backend.account_of(msisdn)
    (bill,) = await backend.billing.list_bills(account, 1)
    return PaymentPromise(
        id="a1" * 16,
        operator="orange-ro",
        subscription="s",
        account=account,
        bill_id=bill.id,
        amount=bill.remaining,
        parts=2,
        first_day=date(2026, 3, 20),
        last_day=date(2026, 4, 4),
        promised_at=datetime(2026, 3, 10, 7, tzinfo=UTC),
    )


def promises_of(backend: BackendUnderTest) -> PromiseBilling:
    """Return the backend as one that takes promises; the test of one that does not ends here."""
    if backend.name in WITHOUT_PROMISES:
        assert "promises" not in backend.billing.capabilities
        pytest.skip("this billing takes no promises, so staff get a ticket")
    assert "promises" in backend.billing.capabilities
    assert isinstance(backend.billing, PromiseBilling)
    return backend.billing


async def test_a_promise_is_recorded_once_however_often_it_is_sent(backend: BackendUnderTest) -> None:
    billing, promise = promises_of(backend), await promise_of(backend)
    assert [await billing.record_promise(promise) for _ in range(2)] == ["ok", "ok"]


async def test_billing_says_whether_it_still_has_a_promise(backend: BackendUnderTest) -> None:
    billing, promise = promises_of(backend), await promise_of(backend)
    assert not await billing.has_promise(promise)
    assert await billing.record_promise(promise) == "ok"
    assert await billing.has_promise(promise)
    assert not await billing.has_promise(replace(promise, id="b2" * 16, last_day=date(2026, 4, 9)))


async def test_a_second_promise_of_an_account_is_declined_while_the_first_is_open(
    backend: BackendUnderTest,
) -> None:
    billing, promise = promises_of(backend), await promise_of(backend)
    assert await billing.record_promise(promise) == "ok"
    second = replace(promise, id="b2" * 16, last_day=date(2026, 4, 9))
    assert await billing.record_promise(second) == "one"
    assert await billing.record_promise(await promise_of(backend, FIRMA)) == "ok"


async def test_of_promises_made_at_the_same_moment_one_is_taken(backend: BackendUnderTest) -> None:
    billing, promise = promises_of(backend), await promise_of(backend)
    several = [replace(promise, id=f"{n:032x}", last_day=date(2026, 4, 4 + n)) for n in range(6)]
    await asyncio.gather(*(backend.billing.list_bills(promise.account, 1) for _ in several))
    answers = await asyncio.gather(*map(billing.record_promise, several), return_exceptions=True)
    assert answers.count("ok") == 1 and answers.count("refused") == 0


async def test_a_promise_whose_last_day_is_over_is_in_nobodys_way(backend: BackendUnderTest) -> None:
    billing, promise = promises_of(backend), await promise_of(backend)
    over = replace(promise, last_day=date(2026, 3, 9))
    assert over.last_day < TODAY
    assert await billing.record_promise(over) == "ok"
    assert await billing.record_promise(replace(promise, id="b2" * 16)) == "ok"


async def test_a_promise_beside_a_mandate_leaves_the_mandate(backend: BackendUnderTest) -> None:
    billing, promise = promises_of(backend), await promise_of(backend, FIRMA)
    before = await backend.billing.find_debit(promise.account)  # type: ignore[attr-defined]
    assert await billing.record_promise(promise) == "ok"
    assert await backend.billing.find_debit(promise.account) == before  # type: ignore[attr-defined]


async def test_a_bss_that_refuses_the_change_refuses_the_promise(backend: BackendUnderTest) -> None:
    if not backend.name.startswith("tmf678"):
        return
    backend.book.faults.add("refuses_plans")
    assert await promises_of(backend).record_promise(await promise_of(backend)) == "refused"


def test_parts_add_up_to_the_amount() -> None:
    first = first_part(Decimal("34.99"), 2, Decimal("0.01"))
    assert (first, Decimal("34.99") - first) == (Decimal("17.49"), Decimal("17.50"))
    assert first_part(Decimal("45.230"), 2, Decimal("0.001")) == Decimal("22.615")
