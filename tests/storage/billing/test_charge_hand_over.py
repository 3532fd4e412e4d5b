"""Hand-over contract: a charge is on the next bill once per key, whatever the backend and what gets lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from flows.domain.account_activity import account_activity
from flows.domain.failures import UNANSWERED_SECONDS, BookingUnconfirmed, NotEligible
from flows.domain.purchase_ports import ChargeBilling
from flows.domain.purchase_records import BillCharge
from gateway.demo.bss.added_charges import REFUSES_CHARGES
from gateway.demo.bss.fault_modes import BOOKS_LATE, LOST_ANSWER
from tests.support.billing.backends import (
    LONG_TIMEOUTS,
    BackendUnderTest,
    build_book,
    charge_of,
    open_backend,
)

TODAY = date(2026, 3, 10)
ANA, BARBU = "+40740000101", "+40740000102"
REMOTE = ["tmf678-v4", "tmf678-v5", "killbill"]


@pytest.fixture(params=["memory", "sqlite", *REMOTE])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    kept = build_book()
    async with open_backend(request.param, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        yield BackendUnderTest(request.param, billing, kept)


@pytest.fixture(params=REMOTE)
async def remote(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    kept = build_book()
    async with open_backend(request.param, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        yield BackendUnderTest(request.param, billing, kept)


@pytest.fixture
async def killbill(tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    kept = build_book()
    async with open_backend("killbill", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        yield BackendUnderTest("killbill", billing, kept)


async def add(backend: BackendUnderTest, key: str, amount: str = "1.80") -> bool:
    assert isinstance(backend.billing, ChargeBilling) and "charges" in backend.billing.capabilities
    return await backend.billing.add_charge(charge_of(await backend.account_of(ANA), key, amount))


async def third_parties(backend: BackendUnderTest, number: str = ANA) -> list[Decimal]:
    lines = await account_activity(backend.billing).list_unbilled_lines(await backend.account_of(number))
    return [each.amount for each in lines if each.rubric == "third_party" and each.label == "Zone 2"]


async def test_a_charge_is_on_the_next_bill_once_in_a_rubric_of_its_own(backend: BackendUnderTest) -> None:
    others = await third_parties(backend, BARBU)
    assert [await add(backend, "c1"), await add(backend, "c1"), await add(backend, "c2")] == [True, False, True]
    assert await third_parties(backend) == [Decimal("1.80")] * 2
    assert await third_parties(backend, BARBU) == others


async def test_a_refund_is_a_credit_on_the_next_bill(backend: BackendUnderTest) -> None:
    await add(backend, "c1")
    assert [await add(backend, "c1/0.50", "-0.50") for _ in range(2)] == [True, False]
    assert sorted(await third_parties(backend)) == [Decimal("-0.50"), Decimal("1.80")]


async def test_purchases_that_billing_lists_show_a_credit_as_one(backend: BackendUnderTest) -> None:
    if "purchases" not in backend.billing.capabilities:
        return
    await add(backend, "c1/0.50", "-0.50")
    listed = await backend.billing.list_entries(await backend.account_of(ANA), "purchases", 20)
    assert [(each.kind, each.amount) for each in listed if each.label == "Zone 2"] == [
        ("parking", Decimal("-0.50"))
    ]


async def test_a_charge_whose_answer_was_lost_is_found_and_not_made_again(remote: BackendUnderTest) -> None:
    remote.book.faults.add(LOST_ANSWER)
    with pytest.raises(BookingUnconfirmed):
        await add(remote, "c1")
    assert not await add(remote, "c1") and len(remote.book.charges) == 1


async def test_a_charge_that_is_booked_late_is_waited_for(remote: BackendUnderTest) -> None:
    remote.book.faults.add(BOOKS_LATE)
    with pytest.raises(BookingUnconfirmed) as unconfirmed:
        await add(remote, "c1")
    assert unconfirmed.value.retry_after_seconds == UNANSWERED_SECONDS
    remote.book.apply_accepted()
    assert not await add(remote, "c1") and len(remote.book.charges) == 1


async def test_poor_lists_hide_no_charge(remote: BackendUnderTest) -> None:
    remote.book.faults |= {"no_filter", "own_limit", "no_count", "shallow_lists"}
    for number in range(7):
        assert await add(remote, f"c{number}")
    assert not any([await add(remote, f"c{number}") for number in range(7)])
    assert len(remote.book.charges) == 7


async def test_a_refused_charge_is_no_success(remote: BackendUnderTest) -> None:
    remote.book.faults.add(REFUSES_CHARGES)
    with pytest.raises(NotEligible):
        await add(remote, "c1")


@pytest.mark.parametrize("dialect", ["v4", "v5"])
async def test_a_usage_rejected_afterwards_is_not_posted_again(dialect: str, tmp_path: Path) -> None:
    kept = build_book()
    async with open_backend(f"tmf678-{dialect}", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        tmf = BackendUnderTest(f"tmf678-{dialect}", billing, kept)
        await add(tmf, "c1")
        kept.charges[0]["status"] = "rejected"
        with pytest.raises(NotEligible):
            await add(tmf, "c1")
    assert len(kept.charges) == 1


async def test_charges_at_once_share_one_draft_invoice(killbill: BackendUnderTest) -> None:
    await asyncio.gather(*(add(killbill, f"c{number}") for number in range(8)))
    assert [len(each["items"]) for each in killbill.book.drafts] == [8]


async def test_a_committed_draft_is_a_bill_and_the_next_charge_opens_another(
    killbill: BackendUnderTest,
) -> None:
    await add(killbill, "c1")
    (draft,) = killbill.book.drafts
    draft["status"] = "COMMITTED"
    account = await killbill.account_of(ANA)
    lines = await killbill.billing.list_bill_lines(account, draft["id"])
    assert [(each.rubric, each.amount) for each in lines] == [("third_party", Decimal("1.80"))]
    assert await add(killbill, "c2") and not await add(killbill, "c1")
    assert [each["status"] for each in killbill.book.drafts] == ["COMMITTED", "DRAFT"]


async def test_a_charge_of_a_voided_invoice_is_not_charged_again(killbill: BackendUnderTest) -> None:
    await add(killbill, "c1")
    killbill.book.drafts[0]["status"] = "VOID"
    assert not await add(killbill, "c1")


async def test_an_unknown_account_is_charged_nothing(remote: BackendUnderTest) -> None:
    charge: BillCharge = charge_of("no-such-account")
    assert isinstance(remote.billing, ChargeBilling)
    with pytest.raises(Exception) as refusal:
        await remote.billing.add_charge(charge)
    assert not remote.book.charges and not isinstance(refusal.value, BookingUnconfirmed)


async def test_charges_are_taken_by_kill_bill_only_where_the_settings_say_so(tmp_path: Path) -> None:
    off = {**LONG_TIMEOUTS, "takes_charges": False}
    async with open_backend("killbill", tmp_path, build_book(), lambda: TODAY, off) as billing:
        assert "charges" not in billing.capabilities
