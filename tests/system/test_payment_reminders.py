"""Reminders of unpaid bills: planned once a day, decided again when they are sent."""

import argparse
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from flows.domain.records import ChangeSet, OutboundMessage, Preference
from gateway.cli.remind import run_reminders
from tests.support.billing.backends import payment_of
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA, at="2026-04-10 09:00") as opened:
        yield opened


async def go_to_due_date(world: PaymentWorld, days: int, hour: int = 9) -> None:
    """Set the clock to so many days after the due date of the caller's bill, at a local hour."""
    day, zone = (await world.bill()).due + timedelta(days=days), ZoneInfo(world.sandbox.menu.config.time_zone)
    world.sandbox.clock.advance(datetime.combine(day, time(hour), zone) - world.sandbox.clock())


async def plan(world: PaymentWorld) -> int:
    """Run `dialtree remind` on billing itself, which lists whole cycles, and return its exit status."""
    ports = world.sandbox.container.operators[world.operator]
    ports.billing = world.sandbox.faulty_billing.inner
    try:
        return await run_reminders(argparse.Namespace(operator=world.operator), world.sandbox.container)
    finally:
        ports.billing = world.sandbox.faulty_billing


async def reminders(world: PaymentWorld) -> list[OutboundMessage]:
    """Return the caller's reminders that have come since the last call."""
    return [each for each in await world.deliver() if each.to == ANA and "/reminder/" in each.key]


@pytest.mark.parametrize(("days", "words"), [(-1, "scadenta la"), (0, "ultima zi"), (3, "nu e achitata")])
async def test_a_bill_is_reminded_of_before_on_and_after_its_due_date(
    world: PaymentWorld, days: int, words: str
) -> None:
    await go_to_due_date(world, days)
    assert await plan(world) == 0
    (reminder,) = await reminders(world)
    assert words in reminder.body and "79,90" in reminder.body and "*100#" in reminder.body
    assert "http" not in reminder.body and reminder.kind == "notice"


async def test_the_run_of_a_day_may_be_repeated(world: PaymentWorld) -> None:
    await go_to_due_date(world, -1)
    await plan(world)
    assert len(await reminders(world)) == 1
    world.sandbox.clock.advance(timedelta(hours=1))
    await plan(world)
    assert not await reminders(world)


async def test_a_day_the_schedule_does_not_name_has_no_reminder(world: PaymentWorld) -> None:
    await go_to_due_date(world, -3)
    await plan(world)
    assert not await reminders(world)


async def test_a_bill_paid_between_planning_and_sending_is_not_reminded_of(world: PaymentWorld) -> None:
    await go_to_due_date(world, -1)
    await plan(world)
    await world.sandbox.faulty_billing.book_payment(payment_of(await world.bill(), "shop"))
    assert not await reminders(world)


async def test_what_remains_when_it_is_sent_is_asked_for(world: PaymentWorld) -> None:
    await go_to_due_date(world, -1)
    await plan(world)
    part = replace(payment_of(await world.bill(), "shop"), amount=Decimal("20.00"))
    await world.sandbox.faulty_billing.book_payment(part)
    (reminder,) = await reminders(world)
    assert "59,90" in reminder.body and "79,90" not in reminder.body


async def test_a_bill_that_is_being_paid_is_not_reminded_of(world: PaymentWorld) -> None:
    await go_to_due_date(world, 3)
    await world.start(await world.request_link(), "silent")
    await plan(world)
    assert not await reminders(world)


async def test_a_reminder_planned_at_night_waits_for_the_morning(world: PaymentWorld) -> None:
    await go_to_due_date(world, 0, hour=22)
    await plan(world)
    assert not await reminders(world)
    await go_to_due_date(world, 3, hour=7)
    await plan(world)
    assert not await reminders(world)
    world.sandbox.clock.advance(timedelta(hours=2))
    (reminder,) = await reminders(world)
    assert "nu e achitata" in reminder.body


async def test_a_due_date_on_a_day_of_rest_is_not_reminded_of_afterwards(sandboxes: SandboxFactory) -> None:
    async with open_payment_world(sandboxes, caller=ANA, at="2026-03-10 09:00") as world:
        assert (await world.bill()).due.isoweekday() == 7
        await go_to_due_date(world, 0)
        await plan(world)
        assert not await reminders(world)
        world.sandbox.clock.advance(timedelta(days=1))
        assert not await reminders(world)


async def test_stop_ends_reminders(world: PaymentWorld) -> None:
    await world.text("STOP")
    await go_to_due_date(world, -1)
    await plan(world)
    assert not await reminders(world)


async def test_reminders_wait_while_billing_is_down(world: PaymentWorld) -> None:
    await go_to_due_date(world, -1)
    await plan(world)
    world.sandbox.faulty_billing.set_state("down")
    assert not await reminders(world)
    world.sandbox.faulty_billing.set_state("up")
    world.sandbox.clock.advance(timedelta(minutes=40))
    assert len(await reminders(world)) == 1


async def test_a_new_owner_of_the_number_is_not_reminded(world: PaymentWorld) -> None:
    await go_to_due_date(world, -1)
    await plan(world)
    billing = world.sandbox.faulty_billing
    inner = billing.inner.get_subscriber

    async def get_subscriber(number: str) -> object:
        return replace(await inner(number), id="somebody else")

    object.__setattr__(billing.inner, "get_subscriber", get_subscriber)
    assert not await reminders(world)


async def test_reminders_go_by_email_where_that_was_chosen(world: PaymentWorld) -> None:
    billing = world.sandbox.container.operators[world.operator].billing
    holder, now = await billing.get_subscriber(ANA), world.sandbox.clock()
    chosen = Preference(notify="email", email="ana@example.com", email_validated=True)
    ledger = world.sandbox.container.operators[world.operator].ledger
    await ledger.commit(ChangeSet("chosen", world.operator, holder.id, now, preference=chosen))
    await go_to_due_date(world, -1)
    await plan(world)
    (mail,) = [each for each in await world.deliver() if "/reminder/" in each.key and "ana@" in each.to]
    assert mail.route == "email" and mail.subject and "79,90" in mail.body
