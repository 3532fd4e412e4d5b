"""Account changes at hostile back ends: refused, lost, made later, overtaken, or made without an answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import Down, InvalidRecord, NotEligible, Slow
from storage.billing._killbill_accounts import split_address
from tests.support.billing.backends import LONG_TIMEOUTS, BackendUnderTest, build_book, open_backend
from tests.support.billing.every_backend import TODAY

ANA = "+40740000101"
WANTED = BillDestination("email", "ana.noua@example.test")
HOME = "Strada Lungă 12, Brașov"
REMOTE_BACKENDS = ["tmf678-v4", "killbill"]


@pytest.fixture(params=REMOTE_BACKENDS)
async def remote(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    """Provide a backend over HTTP and the records of its BSS, whose faults a test turns on."""
    kept = build_book()
    async with open_backend(request.param, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        yield BackendUnderTest(request.param, billing, kept)


async def test_a_refused_address_is_not_eligible_and_nothing_is_changed(remote: BackendUnderTest) -> None:
    ana = await remote.account_of(ANA)
    remote.book.faults.add("refuses_change")
    with pytest.raises(NotEligible):
        await remote.billing.set_media(ana, WANTED)
    with pytest.raises(NotEligible):
        await remote.billing.set_postal_address(ana, HOME)
    assert (await remote.billing.get_media(ana)).media == "paper"


async def test_an_address_that_is_lost_is_no_success(
    remote: BackendUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    ana = await remote.account_of(ANA)
    remote.book.faults.add("loses_contact")
    with pytest.raises(InvalidRecord):
        await remote.billing.set_media(ana, WANTED)
    with pytest.raises(InvalidRecord):
        await remote.billing.set_postal_address(ana, HOME)
    assert "billing.change_lost" in caplog.messages and WANTED.email not in caplog.text


async def test_an_accepted_change_is_slow_until_it_is_made(remote: BackendUnderTest) -> None:
    ana = await remote.account_of(ANA)
    remote.book.faults.add("accepts_later")
    with pytest.raises(Slow):
        await remote.billing.set_media(ana, WANTED)
    remote.book.apply_accepted()
    assert not await remote.billing.set_media(ana, WANTED)
    with pytest.raises(Slow):
        await remote.billing.set_postal_address(ana, HOME)
    remote.book.apply_accepted()
    assert not await remote.billing.set_postal_address(ana, HOME)
    assert (await remote.billing.get_subscriber(ANA)).email == WANTED.email


async def test_a_change_overtaken_by_another_is_made_again(remote: BackendUnderTest) -> None:
    ana = await remote.account_of(ANA)
    remote.book.faults.add("edit_conflict")
    assert await remote.billing.set_media(ana, WANTED)
    assert await remote.billing.get_media(ana) == WANTED
    remote.book.faults.add("edit_conflict")
    assert await remote.billing.set_postal_address(ana, HOME)


async def test_endless_conflicts_are_given_way_to(remote: BackendUnderTest) -> None:
    ana = await remote.account_of(ANA)
    remote.book.override_response = lambda request: (
        None if request.method == "GET" else web.Response(status=409)
    )
    with pytest.raises(Down):
        await remote.billing.set_media(ana, WANTED)
    assert sum(method != "GET" for method, _ in remote.book.requests) == 3


async def test_a_change_whose_answer_is_lost_was_made_once_it_is_asked_again(remote: BackendUnderTest) -> None:
    ana = await remote.account_of(ANA)
    remote.book.faults.add("lost_answer")
    for _ in range(3):
        try:
            await remote.billing.set_media(ana, WANTED)
        except Down:
            continue
    remote.book.faults.discard("lost_answer")
    assert not await remote.billing.set_media(ana, WANTED)
    assert await remote.billing.get_media(ana) == WANTED


async def test_a_change_of_another_desk_meanwhile_is_not_undone(tmp_path: Path) -> None:
    kept, overtaken = build_book(), list[web.Request]()

    def change_behind_our_back(request: web.Request) -> web.StreamResponse | None:
        if request.method == "PATCH" and not overtaken:
            overtaken.append(request)
            kept.change_person(kept.rows.people[0], {"address": HOME})
        return None

    async with open_backend("tmf678-v4", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        kept.override_response = change_behind_our_back
        assert await billing.set_media((await billing.get_subscriber(ANA)).account, WANTED)
        found = await billing.get_subscriber(ANA)
    assert overtaken and (found.address, found.email) == (HOME, WANTED.email)


def test_a_long_address_is_cut_behind_a_comma_or_refused() -> None:
    street, town = "Strada " * 12 + "1", "sector " * 12 + "2"
    assert split_address(f"{street}, {town}") == {"address1": street, "address2": town}
    for address in ("x" * 101, " ".join(["y" * 60] * 3)):
        with pytest.raises(NotEligible):
            split_address(address)
