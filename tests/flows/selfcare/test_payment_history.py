"""Payment history: our own payments beside billing's, each once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flows.domain.account_activity import BookedPayment
from flows.domain.payment_records import PaymentIntent
from flows.selfcare.payment_history import not_at_billing
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

DAY, NOW, AMOUNT = date(2026, 3, 10), datetime(2026, 3, 10, 9, tzinfo=UTC), Decimal("34.99")
OWN = PaymentIntent(
    *("a1" * 16, "orange-fr", "s1", "acc-1", "B-3", "3", DAY, "", "", "fr"),
    *(AMOUNT, "EUR", "booked", NOW, NOW, "7QK42M9T", "payfake"),
)
OTHER = replace(OWN, id="b2" * 16)


def booked(key: str = "", bill: str = "B-3", amount: Decimal = AMOUNT) -> BookedPayment:
    return BookedPayment(DAY, amount, "card", bill, key)


@pytest.mark.parametrize(
    ("at_billing", "missing"),
    [
        ([booked(OWN.id)], []),
        ([booked("")], []),
        ([booked("their-own-number")], []),
        ([], [OWN]),
        ([booked("", bill="B-2")], [OWN]),
        ([booked("", amount=Decimal("1"))], [OWN]),
    ],
)
def test_F14_a_payment_of_ours_is_counted_once(
    at_billing: list[BookedPayment], missing: list[PaymentIntent]
) -> None:
    assert not_at_billing([OWN], at_billing) == missing


def test_F14_two_equal_payments_of_a_bill_stay_two() -> None:
    assert not_at_billing([OWN, OTHER], [booked(OWN.id)]) == [OTHER]
    assert not_at_billing([OWN, OTHER], [booked("")]) == [OTHER]
    assert not_at_billing([OWN, OTHER], [booked(""), booked("x")]) == []


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, "orange-fr", "+33600000101") as opened:
        yield opened


async def test_F14_a_payment_made_here_is_in_the_history_once_before_and_after_it_is_booked(
    world: PaymentWorld,
) -> None:
    session = await world.start(await world.request_link())
    assert "10/03/2026" not in await world.text("PAIEMENTS")
    await world.payfake.press(session)
    await world.deliver()
    assert await world.states() == ["booked"]
    assert (await world.text("PAIEMENTS")).count("10/03/2026 34,99") == 1
