"""Billing contract, bill delivery: media, e-mail address and postal address, set and read back everywhere."""

import pytest

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotEligible, NotFound
from tests.support.billing.backends import BackendUnderTest
from tests.support.billing.every_backend import READ_ONLY
from tests.support.billing.every_backend import backend as backend

ANA, BARBU, DAN = "+40740000101", "+40740000102", "+40740000105"
PAPER = BillDestination("paper")
HOME = "Strada Lungă 12, bl. B, 500123 Brașov"
BARBUS_EMAIL = "barbu@example.test"


def skip_read_only(backend: BackendUnderTest) -> None:
    if backend.name in READ_ONLY:
        pytest.skip("these tables are read-only, which a test of its own holds")


async def test_a_destination_is_that_of_the_account(backend: BackendUnderTest) -> None:
    found = [await backend.billing.get_media(await backend.account_of(number)) for number in (ANA, BARBU, DAN)]
    assert [each.media for each in found] == ["paper", "email", "paper"]
    assert found[1].email == BARBUS_EMAIL


async def test_the_media_change_once_and_for_one_account(backend: BackendUnderTest) -> None:
    skip_read_only(backend)
    ana, dan, email = await backend.account_of(ANA), await backend.account_of(DAN), BillDestination("email")
    assert [await backend.billing.set_media(ana, email) for _ in range(2)] == [True, False]
    assert [(await backend.billing.get_media(each)).media for each in (ana, dan)] == ["email", "paper"]
    assert await backend.billing.set_media(ana, PAPER)
    assert (await backend.billing.get_media(ana)).media == "paper"


async def test_the_validated_address_reaches_billing_with_the_media(backend: BackendUnderTest) -> None:
    skip_read_only(backend)
    ana, wanted = await backend.account_of(ANA), BillDestination("email", "ana.noua@example.test")
    assert [await backend.billing.set_media(ana, wanted) for _ in range(2)] == [True, False]
    assert await backend.billing.get_media(ana) == wanted
    found = await backend.billing.get_subscriber(ANA)
    assert (found.email, found.email_validated) == (wanted.email, True)


async def test_another_address_is_a_change_and_no_address_keeps_the_old(backend: BackendUnderTest) -> None:
    skip_read_only(backend)
    barbu, other = await backend.account_of(BARBU), BillDestination("email", "alt@example.test")
    assert not await backend.billing.set_media(barbu, BillDestination("email", BARBUS_EMAIL.upper()))
    assert await backend.billing.set_media(barbu, other)
    assert not await backend.billing.set_media(barbu, BillDestination("email"))
    assert await backend.billing.set_media(barbu, PAPER)
    assert await backend.billing.get_media(barbu) == BillDestination("paper", other.email)


async def test_a_postal_address_replaces_the_old_one_and_nothing_else(backend: BackendUnderTest) -> None:
    skip_read_only(backend)
    barbu, before = await backend.account_of(BARBU), await backend.billing.get_subscriber(BARBU)
    assert [await backend.billing.set_postal_address(barbu, HOME) for _ in range(2)] == [True, False]
    assert await backend.billing.set_postal_address(barbu, "Aleea Nouă 3, Iași")
    found = await backend.billing.get_subscriber(BARBU)
    assert found.address == "Aleea Nouă 3, Iași"
    assert (found.email, found.email_validated) == (before.email, before.email_validated)


async def test_a_postal_address_of_200_characters_is_kept_whole(backend: BackendUnderTest) -> None:
    skip_read_only(backend)
    ana, address = await backend.account_of(ANA), f"{'Strada ' * 13}1, {'sector ' * 14}2"
    assert await backend.billing.set_postal_address(ana, address)
    assert (await backend.billing.get_subscriber(ANA)).address == address


async def test_an_unknown_account_is_changed_nowhere(backend: BackendUnderTest) -> None:
    with pytest.raises(NotFound):
        await backend.billing.get_media("nobody")
    with pytest.raises((NotFound, NotEligible)):
        await backend.billing.set_media("nobody", BillDestination("email", "a@example.test"))
    with pytest.raises((NotFound, NotEligible)):
        await backend.billing.set_postal_address("nobody", HOME)


async def test_read_only_tables_refuse_a_change_and_no_change_is_none(backend: BackendUnderTest) -> None:
    if backend.name not in READ_ONLY:
        pytest.skip("these can be changed")
    ana, barbu = await backend.account_of(ANA), await backend.account_of(BARBU)
    assert not await backend.billing.set_media(barbu, BillDestination("email", BARBUS_EMAIL))
    for account, wanted in (
        (ana, BillDestination("email")),
        (barbu, BillDestination("email", "x@example.test")),
    ):
        with pytest.raises(NotEligible):
            await backend.billing.set_media(account, wanted)
    with pytest.raises(NotEligible):
        await backend.billing.set_postal_address(ana, HOME)
