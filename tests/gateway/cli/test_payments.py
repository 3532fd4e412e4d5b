"""`dialtree payments`: list, show, ask, refund, and the comparison of a day, on real servers."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from flows.domain.failures import NotEligible
from flows.domain.payment_records import PaymentReport
from gateway.observability.payment_metrics import DIFFERENCE_KINDS
from storage.sql.tables import billing_payments
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_commands import run_payments
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"
DAY = date(2026, 3, 10)


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA) as opened:
        yield opened


async def run(world: PaymentWorld, what: str, **arguments: Any) -> int:
    return await run_payments(world.sandbox.container, world.operator, what, **arguments)


async def test_a_day_without_differences_ends_with_0(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.pay()
    assert await run(world, "check", day=DAY) == 0 and "0 differences" in capsys.readouterr().out


async def test_another_amount_is_found_and_given_back_by_a_person(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.pay("wrong_amount")
    await world.wait(minutes=2)
    assert await run(world, "check", day=DAY) == 1 and "amount_differs" in capsys.readouterr().out
    intent = (await world.intents())[0]
    assert await run(world, "refund", payment=intent.id[:12], yes=False) == 1
    assert await run(world, "refund", payment=intent.id[:12], yes=True) == 0
    await world.deliver()
    assert await world.states() == ["refunded"] and world.payfake.money_in == world.payfake.money_back


async def test_a_payment_at_the_provider_that_nobody_heard_of_is_found_and_asked_about(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    session = await world.start(await world.request_link(), "silent")
    await world.payfake.press(session)
    assert await run(world, "check", day=DAY) == 1 and "paid_not_booked" in capsys.readouterr().out
    intent = (await world.intents())[0]
    assert await run(world, "ask", payment=intent.id[:12]) == 0
    assert "pending -> succeeded" in capsys.readouterr().out


async def test_a_payment_that_is_not_ours_is_named(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    session = await world.pay()
    twin = world.payfake.sessions[session] | {"id": "s-x", "payment": "x" * 32}
    world.payfake.sessions["s-x"] = twin
    assert await run(world, "check", day=DAY) == 1 and "not_ours" in capsys.readouterr().out


async def test_a_booked_payment_is_shown_masked_and_not_given_back(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.pay()
    intent = (await world.intents())[0]
    assert await run(world, "show", payment=intent.id[:8]) == 0
    shown = capsys.readouterr().out
    assert "booked" in shown and ANA not in shown
    assert await run(world, "refund", payment=intent.id, yes=True) == 1
    assert await run(world, "list", days=1, limit=5) == 0 and "1 payments" in capsys.readouterr().out


async def test_the_comparison_of_yesterday_writes_every_kind_of_difference_for_prometheus(
    world: PaymentWorld, tmp_path: Path
) -> None:
    await world.pay("wrong_amount")
    await world.wait(days=1)
    assert await run(world, "check", day=None, metrics=tmp_path / "payments.prom") == 1
    text = (tmp_path / "payments.prom").read_text()
    kinds = {kind: f'{{kind="{kind}",operator="orange-ro"}} ' for kind in DIFFERENCE_KINDS}
    assert len(kinds) == 5 and all(each in text for each in kinds.values())
    assert f"dialtree_payment_differences{kinds['amount_differs']}1.0" in text
    assert f"dialtree_payment_differences{kinds['not_ours']}0.0" in text
    assert 'dialtree_payment_check_timestamp_seconds{operator="orange-ro"} 1.7' in text


async def test_a_payment_at_the_provider_that_billing_lost_is_named(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.pay()
    await world.sandbox.container.database.write(
        lambda connection: connection.execute(delete(billing_payments))
    )
    assert await run(world, "check", day=DAY) == 1 and "paid_not_booked" in capsys.readouterr().out


async def test_a_booking_without_money_at_the_provider_is_named(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.payfake.sessions[await world.pay()]["status"] = "refused"
    assert await run(world, "check", day=DAY) == 1 and "booked_not_paid" in capsys.readouterr().out


async def test_a_bill_paid_twice_is_named_until_one_payment_is_given_back(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    token = await world.request_link()
    first = await world.start(token, "silent")
    world.payfake.sessions[first]["status"] = "expired"
    await world.wait(minutes=1)
    await world.payfake.press(await world.start(token))
    await world.deliver()
    world.payfake.sessions[first]["status"] = "paid"
    assert await run(world, "check", day=DAY) == 1 and "paid_twice" in capsys.readouterr().out
    await world.wait(hours=2)
    assert await run(world, "check", day=DAY) == 0


async def test_a_provider_that_lists_nothing_is_asked_about_each_payment(
    world: PaymentWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    session, payments = await world.pay(), world.sandbox.container.operators[world.operator].payments

    async def list_nothing(day: date) -> AsyncIterator[PaymentReport]:
        raise NotEligible
        yield

    object.__setattr__(payments, "list_day", list_nothing)
    assert await run(world, "check", day=DAY) == 0
    world.payfake.sessions[session]["status"] = "refused"
    assert await run(world, "check", day=DAY) == 1 and "booked_not_paid" in capsys.readouterr().out
