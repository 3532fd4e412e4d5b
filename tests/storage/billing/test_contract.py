"""Billing contract: the same subscribers, bills and failures from every backend."""

import hashlib
from datetime import date
from decimal import Decimal
from typing import get_args

import pytest

from flows.domain.failures import NotFound, Refused
from flows.domain.ports import BillingCycles
from flows.domain.records import Bill, Capability, EntryType
from storage.demo.extras import SIGNED_SPECIMEN
from tests.support.billing.backends import BackendUnderTest
from tests.support.billing.every_backend import backend as backend

ANA, BARBU, FIRMA, CLARA, DAN = (f"+4074000010{digit}" for digit in range(1, 6))
ALL_CAPABILITIES = frozenset[str](get_args(Capability))
CAPABILITIES = {
    "killbill": ALL_CAPABILITIES - {"usage", "purchases", "promises", "live_list"},
    "mapped": ALL_CAPABILITIES - {"documents", "payments", "live_list", "promises", "charges"},
}
"""What each backend supports besides bills; those not listed support everything."""


async def fetch_bills(backend: BackendUnderTest, msisdn: str, limit: int = 12, offset: int = 0) -> list[Bill]:
    return [*await backend.billing.list_bills(await backend.account_of(msisdn), limit, offset)]


async def test_a_number_returns_its_subscriber(backend: BackendUnderTest) -> None:
    found = await backend.billing.get_subscriber(BARBU)
    told = (
        found.name,
        found.kind,
        found.segment,
        found.language,
        found.since,
        found.email,
        found.email_validated,
    )
    expected = ("Barbu Popa", "mobile", "residential", "en", date(2021, 3, 1), "barbu@example.test", True)
    assert told == expected and found.msisdn == BARBU and found.operator == "orange-ro"


async def test_an_account_is_spelt_as_its_holder_knows_it(backend: BackendUnderTest) -> None:
    found = await backend.billing.get_subscriber(ANA)
    assert (found.account_number or found.account) == "40740000101"


async def test_a_business_and_a_newcomer_are_known_as_such(backend: BackendUnderTest) -> None:
    assert (await backend.billing.get_subscriber(FIRMA)).segment == "business"
    assert (await backend.billing.get_subscriber(CLARA)).since == date(2026, 3, 1)


@pytest.mark.parametrize("number", ["+40740999999", "+4074000010", "", "*", "+40740000101' OR '1'='1", "../x"])
async def test_an_unknown_number_is_not_found(backend: BackendUnderTest, number: str) -> None:
    with pytest.raises(NotFound):
        await backend.billing.get_subscriber(number)


async def test_bills_come_newest_first(backend: BackendUnderTest) -> None:
    found = await fetch_bills(backend, ANA)
    assert [bill.issued.month for bill in found] == [3, 2, 1, 12, 11, 10, 9, 8]
    assert [bill.total for bill in found][:3] == [Decimal("79.9"), Decimal("65"), Decimal("92.4")]


async def test_bills_are_paged_by_limit_and_offset(backend: BackendUnderTest) -> None:
    assert [bill.issued.month for bill in await fetch_bills(backend, ANA, 2, 1)] == [2, 1]
    assert await fetch_bills(backend, ANA, 5, 8) == [] == await fetch_bills(backend, CLARA)


async def test_an_unpaid_bill_has_its_remaining_amount(backend: BackendUnderTest) -> None:
    bill = (await fetch_bills(backend, ANA))[0]
    assert (bill.state, bill.due, bill.remaining) == ("due", date(2026, 3, 15), Decimal("79.9"))
    assert bill.tax == Decimal("13.87") and bill.account == await backend.account_of(ANA) and bill.as_of is None


async def test_overdue_follows_from_the_date_and_paid_from_the_amounts(backend: BackendUnderTest) -> None:
    assert [bill.state for bill in await fetch_bills(backend, DAN)] == ["overdue", "paid"]
    assert {bill.state for bill in await fetch_bills(backend, BARBU)} == {"paid"}


async def test_a_single_bill_equals_the_one_in_the_list(backend: BackendUnderTest) -> None:
    listed = (await fetch_bills(backend, ANA))[2]
    assert await backend.billing.get_bill(listed.account, listed.id) == listed


async def test_T18_nobody_sees_another_accounts_bill(backend: BackendUnderTest) -> None:
    theirs = (await fetch_bills(backend, ANA))[0]
    for asked in (backend.billing.get_bill, backend.billing.list_bill_lines):
        for account in (await backend.account_of(BARBU), "nobody", "../" + theirs.account, "%"):
            with pytest.raises(NotFound):
                await asked(account, theirs.id)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../customerBill", "x?y=1", "x#", "%2e%2e", "\x00", "x" * 5000]
)
async def test_an_invalid_bill_id_is_refused(backend: BackendUnderTest, name: str) -> None:
    account = await backend.account_of(ANA)
    with pytest.raises(Refused):
        await backend.billing.get_bill(account, name)


async def test_bill_lines_add_up_to_the_total(backend: BackendUnderTest) -> None:
    for bill in await fetch_bills(backend, ANA):
        lines = await backend.billing.list_bill_lines(bill.account, bill.id)
        assert sum(line.amount for line in lines) == bill.total
        assert [line.rubric for line in lines] == ["subscriptions", "communications"]


async def test_a_whole_cycle_comes_with_its_holders(backend: BackendUnderTest) -> None:
    assert isinstance(backend.billing, BillingCycles)
    pages = [each async for each in backend.billing.list_issued_bills(date(2026, 3, 1), date(2026, 3, 31))]
    listed = sum(len(page) + page.without_holder + len(page.rejected) for page in pages)
    assert {page.expected_bills for page in pages} <= {None, listed}
    found = {holder.msisdn: bill for page in pages for bill, holder in page}
    assert found.keys() == {ANA, BARBU, FIRMA} and found[ANA].total == Decimal("79.9")
    holder = await backend.billing.get_account_holder(await backend.account_of(ANA))
    assert holder == await backend.billing.get_subscriber(ANA)


async def test_a_backend_declares_only_what_it_supports(backend: BackendUnderTest) -> None:
    account = await backend.account_of(ANA)
    assert set(backend.billing.capabilities) == CAPABILITIES.get(backend.name, ALL_CAPABILITIES)
    asked: tuple[EntryType, ...] = ("usage", "purchases")
    for what in asked:
        if what not in backend.billing.capabilities:
            with pytest.raises(NotFound):
                await backend.billing.list_entries(account, what, 3)


async def test_usage_comes_newest_first_and_no_more_than_asked(backend: BackendUnderTest) -> None:
    account = await backend.account_of(ANA)
    if "usage" not in CAPABILITIES.get(backend.name, ALL_CAPABILITIES):
        with pytest.raises(NotFound):
            await backend.billing.list_entries(account, "usage", 5)
        return
    found = await backend.billing.list_entries(account, "usage", 5)
    told = [(entry.at.day, entry.kind, entry.quantity, entry.amount) for entry in found]
    free = Decimal(0)
    assert told[:2] == [(9, "text", 3, free), (9, "call", 12, free)]
    assert told[2:] == [(8, "data", 350, free), (6, "call", 7, free), (5, "call", 3, Decimal("1.2"))]
    assert await backend.billing.list_entries(account, "purchases", 5) == []


async def test_a_document_comes_byte_for_byte_and_to_its_account_only(backend: BackendUnderTest) -> None:
    bill, firma = (await fetch_bills(backend, FIRMA))[0], await backend.account_of(FIRMA)
    if "documents" not in CAPABILITIES.get(backend.name, ALL_CAPABILITIES):
        with pytest.raises(NotFound):
            await backend.billing.get_document(firma, bill.id)
        return
    found = await backend.billing.get_document(firma, bill.id)
    assert hashlib.sha256(found.data).hexdigest() == found.sha256
    rendered = found.format == found.suffix.upper() == "HTML" and found.data.startswith(b"<html")
    assert rendered if backend.name == "killbill" else found.data == SIGNED_SPECIMEN.read_bytes()
    assert backend.name == "killbill" or (found.format, found.suffix) == ("PAdES", "pdf")
    with pytest.raises(NotFound):
        await backend.billing.get_document(await backend.account_of(ANA), bill.id)


async def test_a_bill_without_a_document_has_none(backend: BackendUnderTest) -> None:
    bill = (await fetch_bills(backend, ANA))[0]
    if backend.name != "killbill":  # which renders any invoice
        with pytest.raises(NotFound):
            await backend.billing.get_document(bill.account, bill.id)
