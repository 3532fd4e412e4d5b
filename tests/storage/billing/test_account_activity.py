"""Account activity: payments, unbilled charges, allowances and services, the same from every backend."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest

from flows.domain.account_activity import AccountActivity, Allowance, DirectDebit, account_activity
from flows.domain.failures import NotFound
from tests.storage.billing.test_contract import ANA, CLARA, FIRMA
from tests.support.billing.backends import BackendUnderTest, payment_of
from tests.support.billing.every_backend import backend as backend

OWN_KEY = "a1" * 16
HOSTILE_MODES = ["no_filter", "no_sort", "own_limit", "no_count", "page_count", "past_end_404", "empty_204"]


async def activity_of(backend: BackendUnderTest, msisdn: str = ANA) -> tuple[AccountActivity, str]:
    assert isinstance(backend.billing, AccountActivity)
    return account_activity(backend.billing), await backend.account_of(msisdn)


async def test_F14_payments_come_newest_first_with_day_amount_and_bill(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend)
    found = await billing.list_payments(account, 3)
    told = [(each.paid_on.isoformat(), str(each.amount.normalize())) for each in found]
    assert told == [("2026-02-11", "65"), ("2026-01-11", "92.4"), ("2025-12-11", "65")]
    bills = await backend.billing.list_bills(account, 4)
    assert [each.bill_id for each in found] == [bill.id for bill in bills[1:]]


async def test_F14_a_payment_that_came_through_us_has_its_key(backend: BackendUnderTest) -> None:
    if "payments" not in backend.billing.capabilities:
        return
    billing, account = await activity_of(backend)
    (bill,) = await backend.billing.list_bills(account, 1)
    await billing.book_payment(payment_of(bill, OWN_KEY))  # type: ignore[attr-defined]
    newest = (await billing.list_payments(account, 12))[0]
    assert (newest.key, newest.amount, newest.bill_id) == (OWN_KEY, bill.remaining, bill.id)


async def test_F14_what_is_on_no_bill_yet_is_summed_up(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend)
    lines = await billing.list_unbilled_lines(account)
    assert [str(each.amount.normalize()) for each in lines if each.amount] == ["1.2"]
    assert {each.rubric for each in lines if each.amount} == {"communications"}


async def test_R16_the_meter_tells_what_is_used_and_left(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend)
    found = {
        each.kind: (each.used, each.amount_left, each.is_unlimited)
        for each in await read_meter(billing, account)
    }
    if backend.name == "killbill":
        assert found == {"call": (22, None, False), "data": (1550, None, False), "text": (3, None, False)}
        return
    assert found == {"call": (22, 78, False), "data": (1550, 8690, False), "text": (3, None, True)}


async def read_meter(billing: AccountActivity, account: str, number: str = ANA) -> Sequence[Allowance]:
    return await billing.list_allowances(account, number)


async def test_R16_an_unknown_number_has_no_meter(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend)
    with suppress(NotFound):
        assert list(await read_meter(billing, account, "+40740999998")) == []


async def test_B22_services_are_those_of_the_account(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend)
    found = await billing.list_services(account)
    assert len(found) == 2 and {each.user for each in found} == {ANA}
    assert all(each.name and each.since for each in found)


async def test_F14_who_has_paid_nothing_has_no_history(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend, CLARA)
    assert list(await billing.list_payments(account, 3)) == []


@pytest.mark.parametrize("mode", HOSTILE_MODES)
async def test_T18_a_careless_backend_shows_nobody_elses_activity(backend: BackendUnderTest, mode: str) -> None:
    billing, account = await activity_of(backend)
    backend.book.faults.add(mode)
    payments = await billing.list_payments(account, 12)
    assert len(payments) == 7
    lines = await billing.list_unbilled_lines(account)
    assert sum(each.amount for each in lines) == Decimal("1.2")
    assert {each.user for each in await billing.list_services(account)} == {ANA}
    assert len(await billing.list_allowances(account, ANA)) == 3


async def test_F8_a_mandate_has_its_reference_the_end_of_the_account_and_its_day(
    backend: BackendUnderTest,
) -> None:
    billing, account = await activity_of(backend, FIRMA)
    assert "debits" in backend.billing.capabilities
    day = None if backend.name == "killbill" else date(2026, 3, 15)
    assert await billing.find_debit(account) == DirectDebit("ORO000103", "3107", day)


async def test_F8_an_account_without_a_mandate_has_none(backend: BackendUnderTest) -> None:
    billing, account = await activity_of(backend)
    backend.book.faults.add("no_filter")
    assert await billing.find_debit(account) is None
