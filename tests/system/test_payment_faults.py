"""Payments under fire: forged callbacks, and a worker cut off before or after every step it makes."""

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from flows.domain.failures import Down, Failure
from flows.domain.payment_records import PaymentState
from gateway.demo.payfake import SIGNATURE_HEADER, WEBHOOK_SECRET
from gateway.payments.signed_body import sign_body
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"
PRICE = Decimal("79.90")
OPEN: frozenset[PaymentState] = frozenset(
    {"confirmed", "pending", "unknown", "succeeded", "booking", "refunding"}
)
CUT_POINTS = ("intents.advance", "billing.book_payment", "payments.ask", "payments.refund")


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA) as opened:
        yield opened


async def post_callback(world: PaymentWorld, body: bytes, signature: str) -> int:
    url = f"{world.server.url}/hooks/{world.operator}/payfake/payment"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=body, headers={SIGNATURE_HEADER: signature}) as response:
            return response.status


def sign(world: PaymentWorld, body: bytes, secret: str = WEBHOOK_SECRET, age: int = 0) -> str:
    return sign_body(secret.encode(), body, int(world.sandbox.clock().timestamp()) - age)


def event(session: dict[str, Any], **changed: Any) -> bytes:
    return json.dumps({"id": "e-1", "type": "session.paid", "session": session | changed}).encode()


async def test_a_callback_that_is_forged_old_or_not_ours_changes_nothing(world: PaymentWorld) -> None:
    session = world.payfake.sessions[await world.start(await world.request_link(), "silent")]
    good = event(session, live=False)
    assert await post_callback(world, good, sign(world, good, "another secret, as long as ours")) == 401
    assert await post_callback(world, good, sign(world, good, age=301)) == 401
    assert await post_callback(world, good + b" ", sign(world, good)) == 401
    stranger = event(session, payment="f" * 32)
    assert await post_callback(world, stranger, sign(world, stranger)) == 401
    other_session = event(session, id="s-other")
    assert await post_callback(world, other_session, sign(world, other_session)) == 401
    assert await post_callback(world, b"[", sign(world, b"[")) == 400
    assert await world.states() == ["pending"]


async def test_a_signed_lie_is_not_believed_as_the_provider_is_asked(world: PaymentWorld) -> None:
    session = world.payfake.sessions[await world.start(await world.request_link(), "silent")]
    lie = event(session, status="paid")
    assert [await post_callback(world, lie, sign(world, lie)) for _ in range(3)] == [200, 200, 200]
    await world.deliver()
    assert await world.states() == ["pending"] and (await world.bill()).remaining == PRICE


async def test_test_payments_are_refused_where_real_bills_are_paid(sandboxes: SandboxFactory) -> None:
    more = {"operators": {"orange-ro": {"payments": {"test_mode": False}}}}
    async with open_payment_world(sandboxes, caller=ANA, more=more) as world:
        session = await world.start(await world.request_link())
        await world.payfake.press(session)
        await world.wait(minutes=2)
        body = event(world.payfake.sessions[session], live=False)
        assert await post_callback(world, body, sign(world, body)) == 401
        assert await world.states() == ["unknown"] and (await world.bill()).remaining == PRICE


def cut_off(target: object, name: str, dice: random.Random) -> None:
    """Make a method fail before or after its effect, one time in three: what a killed worker leaves behind."""
    inner: Callable[..., Awaitable[Any]] = getattr(target, name)

    async def maybe(*arguments: Any, **named: Any) -> Any:
        fate = dice.randrange(6)
        if fate == 0:
            raise Down("cut off before")
        answer = await inner(*arguments, **named)
        if fate == 1:
            raise Down("cut off after")
        return answer

    object.__setattr__(target, name, maybe)


async def money_kept(world: PaymentWorld) -> tuple[Decimal, Decimal]:
    """Return the money that is booked, and that of payments nobody has decided about."""
    intents = await world.intents()
    booked = sum((each.amount for each in intents if each.state == "booked"), Decimal(0))
    return booked, sum((each.amount for each in intents if each.state in OPEN), Decimal(0))


@pytest.mark.parametrize("seed", range(6))
async def test_money_in_is_booked_given_back_or_open_wherever_a_worker_is_cut_off(
    seed: int, sandboxes: SandboxFactory
) -> None:
    dice = random.Random(seed)
    async with open_payment_world(sandboxes, caller=ANA) as world:
        token = await world.request_link()
        first = await world.start(token, "silent")
        world.payfake.sessions[first]["status"] = "expired"
        await world.wait(minutes=1)
        second = await world.start(token, "silent")
        ports = world.sandbox.container.operators[world.operator]
        assert ports.intents and ports.payments
        for place in CUT_POINTS:
            holder, _, name = place.partition(".")
            target = world.sandbox.faulty_billing.inner if holder == "billing" else getattr(ports, holder)
            cut_off(target, name, dice)
        await world.payfake.press(second)
        await world.payfake.pay_late(first)
        for _ in range(30):
            try:
                await world.wait(minutes=dice.choice((1, 5, 40)))
            except Failure:
                continue
            booked, open_money = await money_kept(world)
            assert booked <= PRICE
        assert (await world.bill()).remaining == 0 and booked == PRICE
        assert world.payfake.money_in == booked + world.payfake.money_back + open_money
