"""The billing contract: the same people, bills and refusals whatever stands behind the port."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from flows.failures import NotEligible, NotFound, Refused
from flows.ports import Cycles
from flows.records import Bill, Entries
from storage.billing.sql import SqlBilling
from storage.sql.engine import connect
from storage.sql.upgrade import upgrade
from tests.bss import Backend, behind, book, fill

TODAY = date(2026, 3, 10)
ANA, BARBU, FIRMA, CLARA, DAN = (f"+4074000010{digit}" for digit in range(1, 6))
NAMES = ["sqlite", "mapped", "tmf678-v4", "tmf678-v5", "killbill"]
BACKENDS = [*map(pytest.param, NAMES), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    kept = book()
    if request.param != "postgres":
        async with behind(request.param, tmp_path, kept, lambda: TODAY) as billing:
            yield Backend(request.param, billing, kept)
        return
    database = connect(str(request.getfixturevalue("postgres_database")))
    await upgrade(database)
    await fill(database, kept)
    yield Backend("postgres", SqlBilling(database, "orange-ro", lambda: TODAY), kept)
    await database.close()


async def bills(backend: Backend, msisdn: str, limit: int = 12, offset: int = 0) -> list[Bill]:
    return [*await backend.billing.bills(await backend.account(msisdn), limit, offset)]


async def test_who_stands_behind_a_number(backend: Backend) -> None:
    found = await backend.billing.subscriber(BARBU)
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


async def test_a_business_and_a_newcomer_are_known_as_such(backend: Backend) -> None:
    assert (await backend.billing.subscriber(FIRMA)).segment == "business"
    assert (await backend.billing.subscriber(CLARA)).since == date(2026, 3, 1)


@pytest.mark.parametrize("number", ["+40740999999", "+4074000010", "", "*", "+40740000101' OR '1'='1", "../x"])
async def test_nobody_is_not_found(backend: Backend, number: str) -> None:
    with pytest.raises(NotFound):
        await backend.billing.subscriber(number)


async def test_bills_come_newest_first(backend: Backend) -> None:
    found = await bills(backend, ANA)
    assert [bill.issued.month for bill in found] == [3, 2, 1, 12, 11, 10, 9, 8]
    assert [bill.total for bill in found][:3] == [Decimal("79.9"), Decimal("65"), Decimal("92.4")]


async def test_a_page_of_bills_is_cut_out_of_all(backend: Backend) -> None:
    assert [bill.issued.month for bill in await bills(backend, ANA, 2, 1)] == [2, 1]
    assert await bills(backend, ANA, 5, 8) == [] == await bills(backend, CLARA)


async def test_a_bill_to_pay(backend: Backend) -> None:
    bill = (await bills(backend, ANA))[0]
    assert (bill.state, bill.due, bill.remaining) == ("due", date(2026, 3, 15), Decimal("79.9"))
    assert bill.tax == Decimal("13.87") and bill.account == await backend.account(ANA) and bill.seen is None


async def test_overdue_follows_from_the_day_and_paid_from_the_amounts(backend: Backend) -> None:
    assert [bill.state for bill in await bills(backend, DAN)] == ["overdue", "paid"]
    assert {bill.state for bill in await bills(backend, BARBU)} == {"paid"}


async def test_a_bill_by_itself_is_the_one_of_the_list(backend: Backend) -> None:
    listed = (await bills(backend, ANA))[2]
    assert await backend.billing.bill(listed.account, listed.id) == listed


async def test_T18_nobody_sees_another_accounts_bill(backend: Backend) -> None:
    theirs = (await bills(backend, ANA))[0]
    for asked in (backend.billing.bill, backend.billing.lines):
        for account in (await backend.account(BARBU), "nobody", "../" + theirs.account, "%"):
            with pytest.raises(NotFound):
                await asked(account, theirs.id)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../customerBill", "x?y=1", "x#", "%2e%2e", "\x00", "x" * 5000]
)
async def test_a_bill_by_no_name_is_refused(backend: Backend, name: str) -> None:
    account = await backend.account(ANA)
    with pytest.raises(Refused):
        await backend.billing.bill(account, name)


async def test_the_detail_adds_up(backend: Backend) -> None:
    for bill in await bills(backend, ANA):
        lines = await backend.billing.lines(bill.account, bill.id)
        assert sum(line.amount for line in lines) == bill.total
        assert [line.rubric for line in lines] == ["subscriptions", "communications"]


async def test_media_changes_once_and_for_one_account(backend: Backend) -> None:
    if backend.name == "mapped":
        pytest.skip("somebody else's tables are only read: see test_billing_mapped")
    ana, dan = await backend.account(ANA), await backend.account(DAN)
    assert await backend.billing.media(ana) == "paper"
    assert [await backend.billing.set_media(ana, "email") for _ in range(2)] == [True, False]
    assert (await backend.billing.media(ana), await backend.billing.media(dan)) == ("email", "paper")
    assert await backend.billing.set_media(ana, "paper") and await backend.billing.media(ana) == "paper"


async def test_media_of_nobody_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFound):
        await backend.billing.media("nobody")
    with pytest.raises((NotFound, NotEligible)):
        await backend.billing.set_media("nobody", "email")


async def test_a_whole_cycle_comes_with_its_holders(backend: Backend) -> None:
    assert isinstance(backend.billing, Cycles)
    pages = backend.billing.issued(date(2026, 3, 1), date(2026, 3, 31))
    found = {holder.msisdn: bill for page in [each async for each in pages] for bill, holder in page}
    assert found.keys() == {ANA, BARBU, FIRMA} and found[ANA].total == Decimal("79.9")
    holder = await backend.billing.holder(await backend.account(ANA))
    assert holder == await backend.billing.subscriber(ANA)


async def test_what_a_backend_cannot_do_it_does_not_name(backend: Backend) -> None:
    known = {"usage", "purchases", "documents"}
    assert set(backend.billing.capabilities) <= known
    asked: tuple[Entries, ...] = ("usage", "purchases")
    for what in asked:
        if what not in backend.billing.capabilities:
            with pytest.raises(NotFound):
                await backend.billing.entries(await backend.account(ANA), what, 3)
