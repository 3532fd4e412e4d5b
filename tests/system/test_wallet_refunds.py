"""Money that goes back to a wallet: followed until the wallet has made it, told then, listed for people."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from flows.payments.checks import REFUND_REFUSED
from gateway.payments.wallet_settings import WalletName
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_commands import run_payments
from tests.support.wallet_world import WalletWorld, open_wallet_world

TOLD = "v-am returnat"


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[WalletWorld]:
    async with open_wallet_world(sandboxes, "mtn_momo") as opened:
        yield opened


async def run(world: WalletWorld, what: str, **arguments: Any) -> int:
    return await run_payments(world.sandbox.container, OPERATOR, what, **arguments)


async def order_refund(world: WalletWorld) -> str:
    """Have another amount taken than agreed, let a person order it back; return the payment."""
    await world.pay("wrong_amount")
    (intent,) = await world.intents()
    assert await run(world, "refund", payment=intent.id[:12], yes=True) == 0
    return intent.id


async def test_a_refund_is_followed_and_told_once_it_has_happened(
    world: WalletWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.book.refund_mode = "pending"
    await order_refund(world)
    await world.wait(hours=30)
    assert await world.states() == ["refunding"] and not [each for each in world.received if TOLD in each]
    assert await run(world, "list", days=3, limit=5, state="refunding") == 0
    assert "1 payments" in capsys.readouterr().out and len(world.book.refunds) == 1
    world.book.refund_mode = "ok"
    await world.wait(days=1)
    assert await world.states() == ["refunded"] and world.book.money_back == world.book.money_in
    assert len([each for each in world.received if TOLD in each and "80,90" in each]) == 1
    assert await run(world, "list", days=3, limit=5, state="refunding") == 0
    assert "0 payments" in capsys.readouterr().out


async def test_a_person_can_ask_how_far_a_refund_is(
    world: WalletWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.book.refund_mode = "pending"
    payment = await order_refund(world)
    await world.wait(minutes=1)
    assert await run(world, "ask", payment=payment[:12]) == 0
    assert "refunding -> refunding" in capsys.readouterr().out
    world.book.refund_mode = "ok"
    assert await run(world, "ask", payment=payment[:12]) == 0
    assert "refunding -> refunded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [("orange_money", "in the merchant's account"), ("mtn_momo", "wallet.refund_subscription_key is not set")],
)
async def test_a_refund_that_a_wallet_cannot_make_is_not_begun(
    provider: WalletName, sentence: str, sandboxes: SandboxFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    keyless = {"operators": {OPERATOR: {"wallet": {"refund_subscription_key": None}}}}
    async with open_wallet_world(sandboxes, provider, keyless) as world:
        await world.pay("wrong_amount")
        (intent,) = await world.intents()
        assert await run(world, "refund", payment=intent.id[:12], yes=True) == 1
        assert sentence in capsys.readouterr().err and await world.states() == ["unknown"]


async def test_a_refund_that_the_wallet_fails_to_make_is_left_to_people(
    world: WalletWorld, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    world.book.refund_mode = "fails"
    await order_refund(world)
    await world.wait(minutes=1)
    await world.wait(hours=30)
    (intent,) = await world.intents()
    assert (intent.state, intent.reason) == ("refunding", REFUND_REFUSED) and world.book.money_back == 0
    assert "payments.refund_refused" in caplog.messages and len(world.book.refunds) == 1
    assert not [each for each in world.received if TOLD in each]
    assert await run(world, "list", days=3, limit=5) == 0 and REFUND_REFUSED in capsys.readouterr().out
