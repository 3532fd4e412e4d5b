"""`dialtree payments resolve`: what staff did by hand ends a payment, once, and the comparison knows it."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from flows.domain.payment_records import PaymentIntent
from storage.sql.tables import audit, billing_bills, payment_intents
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_commands import run_payments
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"
DAY = date(2026, 3, 10)
GIVEN_BACK = {"state": "refunded", "amount": "80.90", "staff": "i.pop", "note": "refund 4711 at the provider"}
"""Ana's bill is of 79.90; with `wrong_amount` Payfake takes one more."""
BOOKED = GIVEN_BACK | {"state": "booked", "note": "entry 12 at billing"}
NOTHING_TAKEN = GIVEN_BACK | {"state": "failed", "amount": "0"}


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA) as opened:
        yield opened


async def pay_another_amount(world: PaymentWorld) -> PaymentIntent:
    """Have another amount taken than agreed; return the payment, which is unknown."""
    await world.pay("wrong_amount")
    await world.wait(minutes=2)
    (intent,) = await world.intents()
    assert intent.state == "unknown"
    world.received.clear()
    return intent


async def resolve(world: PaymentWorld, intent: PaymentIntent, values: dict[str, Any], **more: Any) -> int:
    given = {"payment": intent.id[:12], "yes": True, "tells_payer": True, **values, **more}
    return await run_payments(world.sandbox.container, world.operator, "resolve", **given)


async def check(world: PaymentWorld) -> int:
    return await run_payments(world.sandbox.container, world.operator, "check", day=DAY)


async def set_intent(world: PaymentWorld, **values: Any) -> None:
    await world.sandbox.container.database.write(
        lambda connection: connection.execute(update(payment_intents).values(**values))
    )


async def test_money_given_back_by_hand_is_recorded_told_and_agrees_with_the_provider(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    intent = await pay_another_amount(world)
    assert await check(world) == 1 and "amount_differs" in capsys.readouterr().out
    assert await resolve(world, intent, GIVEN_BACK, yes=False) == 1 and await world.states() == ["unknown"]
    assert await resolve(world, intent, GIVEN_BACK) == 0
    await world.deliver()
    (notice,) = world.received
    assert await world.states() == ["refunded"] and "v-am returnat 80,90" in notice.body.replace("\xa0", " ")
    capsys.readouterr()
    assert await check(world) == 0 and "by hand: 1 refunded, 80.90" in capsys.readouterr().out


async def test_the_same_record_again_changes_nothing_and_another_is_refused(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    intent = await pay_another_amount(world)
    assert [await resolve(world, intent, GIVEN_BACK) for _ in range(2)] == [0, 0]
    assert "the same was recorded before" in capsys.readouterr().out
    assert await resolve(world, intent, GIVEN_BACK | {"amount": "79.90"}) == 1
    assert await resolve(world, intent, BOOKED) == 1
    assert len(await world.wait(days=1)) == 1 and await world.states() == ["refunded"]


async def test_the_audit_log_names_who_did_it_and_show_tells_the_rest(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    intent = await pay_another_amount(world)
    assert await resolve(world, intent, GIVEN_BACK) == 0
    entries = select(audit.c.object, audit.c.correlation).where(audit.c.action == "payment.refunded_by_hand")
    rows = await world.sandbox.container.database.read(lambda connection: connection.execute(entries).all())
    assert [tuple(row) for row in rows] == [(intent.id, "i.pop")]
    capsys.readouterr()
    await run_payments(world.sandbox.container, world.operator, "show", payment=intent.id)
    shown = capsys.readouterr().out
    assert "by_hand" in shown and "i.pop" in shown and "refund 4711" in shown and "80.90" in shown


async def test_less_given_back_than_was_taken_stays_a_difference(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await resolve(world, await pay_another_amount(world), GIVEN_BACK | {"amount": "79.90"}) == 0
    assert await check(world) == 1 and "amount_differs" in capsys.readouterr().out


async def test_a_booking_by_hand_brings_the_receipt_with_what_is_left(world: PaymentWorld) -> None:
    intent = await pay_another_amount(world)
    paid = update(billing_bills).where(billing_bills.c.id == intent.bill_id).values(remaining=Decimal(0))
    await world.sandbox.container.database.write(lambda connection: connection.execute(paid))
    assert await resolve(world, intent, BOOKED) == 0
    await world.deliver()
    texts = [each.body.replace("\xa0", " ") for each in world.received if each.route == "sms"]
    assert len(texts) == 1 and "am primit 80,90" in texts[0] and "Rest 0,00" in texts[0]
    assert await world.states() == ["booked"] and await check(world) == 0


async def test_a_payer_may_be_left_untold(world: PaymentWorld) -> None:
    intent = await pay_another_amount(world)
    assert await resolve(world, intent, GIVEN_BACK, tells_payer=False) == 0
    assert await world.deliver() == [] and await world.states() == ["refunded"]


async def test_money_that_staff_did_not_find_but_the_provider_has_is_named(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    intent = await pay_another_amount(world)
    assert await resolve(world, intent, NOTHING_TAKEN) == 1, "the provider has said that it has money"
    await set_intent(world, reason="unheard")
    assert await resolve(world, intent, NOTHING_TAKEN) == 0
    assert await world.states() == ["failed"] and await check(world) == 1
    assert "amount_differs" in capsys.readouterr().out


async def test_a_record_is_replaced_when_money_comes_after_all(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    intent = await pay_another_amount(world)
    await set_intent(world, reason="unheard")
    assert await resolve(world, intent, NOTHING_TAKEN) == 0
    assert await run_payments(world.sandbox.container, world.operator, "ask", payment=intent.id) == 0
    assert "failed -> unknown" in capsys.readouterr().out
    assert await resolve(world, intent, GIVEN_BACK) == 0 and await check(world) == 0


async def test_a_refund_that_the_provider_refused_is_recorded_as_given_back_only(world: PaymentWorld) -> None:
    intent = await pay_another_amount(world)
    await set_intent(world, state="refunding")
    assert await resolve(world, intent, GIVEN_BACK) == 1
    await set_intent(world, reason="refund_refused")
    assert await resolve(world, intent, BOOKED) == 1
    assert await resolve(world, intent, GIVEN_BACK) == 0 and await world.states() == ["refunded"]


@pytest.mark.parametrize("state", ["pending", "succeeded", "booking", "booked", "refunded", "failed"])
async def test_a_payment_that_is_decided_or_under_way_is_not_ended_by_hand(
    world: PaymentWorld, state: str
) -> None:
    intent = await pay_another_amount(world)
    await set_intent(world, state=state)
    assert await resolve(world, intent, GIVEN_BACK) == 1 and await world.states() == [state]


@pytest.mark.parametrize(
    "values",
    [
        *({"amount": each} for each in ("0", "-1", "80.901", "many", "NaN", "")),
        *({"staff": each} for each in ("", " ", "x" * 65)),
        *({"note": each} for each in ("", "x" * 256)),
        {"state": "failed"},
    ],
    ids=str,
)
async def test_a_record_without_amount_name_or_note_is_refused(
    world: PaymentWorld, values: dict[str, str]
) -> None:
    intent = await pay_another_amount(world)
    assert await resolve(world, intent, GIVEN_BACK | values) == 1 and await world.states() == ["unknown"]
