"""Callbacks in any order, of another merchant, with another currency: the payment ends as the money went."""

import random
from collections.abc import AsyncIterator
from itertools import permutations

import pytest

from flows.domain.failures import Failure
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"
EVENTS = ("session.open", "session.paid", "session.expired")


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA) as opened:
        yield opened


def receipts(world: PaymentWorld) -> int:
    return sum("am primit" in each.body for each in world.received)


@pytest.mark.parametrize("order", [*permutations(EVENTS)], ids=" ".join)
async def test_callbacks_in_any_order_end_with_one_booking(world: PaymentWorld, order: tuple[str, ...]) -> None:
    session = world.payfake.sessions[await world.start(await world.request_link(), "silent")]
    await world.payfake.press(session["id"])
    for name in order:
        await world.payfake.send_event(session, name)
        await world.deliver()
    assert await world.states() == ["booked"] and receipts(world) == 1
    assert (await world.bill()).remaining == 0


@pytest.mark.parametrize("seed", range(3))
async def test_callbacks_before_late_and_again_never_leave_the_booking(world: PaymentWorld, seed: int) -> None:
    dice, session_id = random.Random(seed), await world.start(await world.request_link(), "silent")
    session = world.payfake.sessions[session_id]
    for step in range(12):
        await world.payfake.send_event(session, f"{dice.choice(EVENTS)}-{dice.randrange(4)}")
        await world.wait(minutes=dice.choice((0, 1, 30)))
        if step == 4:
            await world.payfake.pay_late(session_id)
    await world.wait(hours=1)
    assert await world.states() == ["booked"] and receipts(world) == 1


async def test_a_payment_of_another_merchant_is_never_booked(world: PaymentWorld) -> None:
    session = world.payfake.sessions[await world.start(await world.request_link(), "silent")]
    session["merchant"] = "orange-fr"
    await world.payfake.press(session["id"])
    await world.wait(minutes=2)
    assert await world.states() == ["unknown"] and (await world.bill()).remaining > 0
    assert (await world.intents())[0].reason == "intent"


async def test_another_currency_is_never_booked(world: PaymentWorld) -> None:
    session = world.payfake.sessions[await world.start(await world.request_link(), "silent")]
    session["currency"] = "HUF"
    await world.payfake.press(session["id"])
    await world.wait(minutes=2)
    assert await world.states() == ["unknown"] and (await world.bill()).remaining > 0
    assert (await world.intents())[0].reason == "currency"


async def test_two_payers_of_one_bill_at_once_are_led_to_one_page(world: PaymentWorld) -> None:
    token, other = await world.request_link(), await world.request_link()
    assert await world.start(token) == await world.start(other)
    (session,) = world.payfake.sessions
    await world.payfake.press(session)
    await world.payfake.press(session)
    await world.deliver()
    assert await world.states() == ["booked"] and receipts(world) == 1


async def test_a_booking_that_billing_refuses_keeps_the_money_open_and_is_tried_again(
    world: PaymentWorld,
) -> None:
    billing = world.sandbox.faulty_billing
    session = await world.start(await world.request_link())
    billing.set_state("down")
    await world.payfake.press(session)
    for _ in range(3):
        try:
            await world.wait(minutes=10)
        except Failure:
            continue
    assert (await world.states())[0] in ("succeeded", "booking")
    billing.set_state("up")
    await world.wait(hours=1)
    assert await world.states() == ["booked"] and receipts(world) == 1
