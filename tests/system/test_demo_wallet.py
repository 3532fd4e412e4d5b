"""The demo's wallet: what its owners see and do, and one stand-in for the demo and the phones beside it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from gateway.demo.wallet.owner_page import OWNER_PATH
from gateway.demo.wallet.wallet_server import find_owner, share_wallet
from gateway.payments.wallet_settings import WalletSettings
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.wallet_world import ANA, WalletWorld, open_wallet_world

OTHER_PHONE = "+40740000106"


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[WalletWorld]:
    async with open_wallet_world(sandboxes, "mtn_momo") as opened:
        yield opened


async def test_the_owners_page_shows_what_waits_and_approves_it(world: WalletWorld) -> None:
    reference = await world.request_on_phone()
    owner = find_owner(world.sandbox.container.settings.operators[OPERATOR].wallet)
    assert owner and [each.reference for each in await owner.list_waiting(ANA)] == [reference]
    assert await owner.list_waiting(OTHER_PHONE) == []
    async with ClientSession() as client, client.get(f"{owner.url}{OWNER_PATH}") as page:
        shown = await page.text()
    assert "...0101" in shown and "79.90 RON" in shown and ANA.removeprefix("+") not in shown
    await owner.answer(reference, "approve")
    await world.wait(minutes=1)
    assert await owner.list_waiting(ANA) == [] and await world.states() == ["booked"]
    await owner.set_mode("no_funds")
    assert world.book.mode == "no_funds"


async def test_a_second_stand_in_on_the_port_uses_the_first() -> None:
    port = free_port()
    async with share_wallet([OPERATOR], port) as first, share_wallet([OPERATOR], port) as second:
        assert first == second
        owner = find_owner(WalletSettings.model_validate(second["operators"][OPERATOR]["wallet"]))
        assert owner and await owner.list_waiting(ANA) == []


async def test_a_phone_beside_a_demo_that_has_ended_has_no_requests() -> None:
    async with share_wallet([OPERATOR], free_port()) as table:
        owner = find_owner(WalletSettings.model_validate(table["operators"][OPERATOR]["wallet"]))
    assert owner and await owner.list_waiting(ANA) == []
