"""Payments behind every billing system: booked once, whatever gets lost between post and record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flows.domain.failures import UNANSWERED_SECONDS
from flows.domain.payment_records import PaymentChange
from flows.payments.tasks import BOOK
from gateway.demo.bss.data import BssRecords
from gateway.demo.bss.fault_modes import BOOKS_LATE, LOST_ANSWER
from storage.outbox.claim import LEASE
from tests.support.billing.backends import LONG_TIMEOUTS, build_book, open_backend
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.killed_worker import killing_worker
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"
LATER = UNANSWERED_SECONDS / 60
"""Minutes until billing is asked again after a post without an answer."""
REMOTE = ["tmf678-v4", "killbill"]


@dataclass
class BilledWorld:
    """A payer whose bills are at one kind of billing system."""

    world: PaymentWorld
    bss: BssRecords
    price: Decimal

    @property
    def posts(self) -> int:
        """Return how often a payment was posted."""
        return sum(method == "POST" and "payment" in path for method, path in self.bss.requests)

    async def state_after(self, **time: float) -> str:
        """Let time pass; return the state of the payment, whose money is in one place all the while."""
        receipts = await self.world.wait(**time)
        (intent,) = await self.world.intents()
        assert self.world.payfake.money_in == self.price and not self.world.payfake.money_back
        assert len(self.bss.payments) <= 1 and (intent.state == "booked" or not receipts)
        return intent.state

    async def is_paid(self) -> bool:
        return (await self.world.bill()).remaining == 0


@asynccontextmanager
async def open_billed_world(name: str, sandboxes: SandboxFactory, folder: Path) -> AsyncIterator[BilledWorld]:
    async with open_payment_world(sandboxes, caller=ANA) as world:
        bss = build_book(world.sandbox.clock())

        def today() -> date:
            return world.sandbox.clock().astimezone(bss.rows.zone).date()

        async with open_backend(name, folder, bss, today, LONG_TIMEOUTS) as billing:
            world.sandbox.faulty_billing.inner = billing
            yield BilledWorld(world, bss, (await world.bill()).remaining)


@pytest.fixture(params=REMOTE)
async def payer(
    request: pytest.FixtureRequest, sandboxes: SandboxFactory, tmp_path: Path
) -> AsyncIterator[BilledWorld]:
    async with open_billed_world(request.param, sandboxes, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["sqlite", *REMOTE])
async def any_payer(
    request: pytest.FixtureRequest, sandboxes: SandboxFactory, tmp_path: Path
) -> AsyncIterator[BilledWorld]:
    async with open_billed_world(request.param, sandboxes, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("fault", [LOST_ANSWER, BOOKS_LATE])
async def test_a_payment_without_an_answer_is_booked_once(payer: BilledWorld, fault: str) -> None:
    payer.bss.faults.add(fault)
    await payer.world.pay()
    assert [await payer.state_after(seconds=each) for each in (2, 5, 15, 60)] == ["booking"] * 4
    payer.bss.apply_accepted()
    assert await payer.state_after(minutes=LATER) == "booked"
    assert await payer.is_paid() and payer.posts == 1


async def test_a_payment_that_billing_never_booked_is_posted_again_at_last(payer: BilledWorld) -> None:
    payer.bss.faults.add(BOOKS_LATE)
    await payer.world.pay()
    payer.bss.late_bookings.clear()
    assert await payer.state_after(minutes=LATER / 2) == "booking"
    assert await payer.state_after(minutes=LATER) == "booked"
    assert await payer.is_paid() and payer.posts == 2


async def test_a_worker_killed_while_billing_books_is_waited_for(payer: BilledWorld) -> None:
    payer.bss.faults.add(BOOKS_LATE)
    with killing_worker(payer.world.sandbox.container.outbox_worker, BOOK):
        with pytest.raises(asyncio.CancelledError):
            await payer.world.pay()
    assert await payer.state_after(seconds=2 * LEASE.total_seconds()) == "booking"
    payer.bss.apply_accepted()
    assert await payer.state_after(minutes=LATER) == "booked"
    assert await payer.is_paid() and payer.posts == 1


async def test_a_worker_killed_between_the_post_and_its_record_books_once(any_payer: BilledWorld) -> None:
    intents = any_payer.world.sandbox.container.operators[any_payer.world.operator].intents
    assert intents
    advance = intents.advance

    async def die_before_record(change: PaymentChange, *more: Any, **named: Any) -> bool:
        if change.state == "booked":
            raise asyncio.CancelledError
        return await advance(change, *more, **named)

    object.__setattr__(intents, "advance", die_before_record)
    with pytest.raises(asyncio.CancelledError):
        await any_payer.world.pay()
    assert await any_payer.is_paid() and await any_payer.world.states() == ["booking"]
    object.__setattr__(intents, "advance", advance)
    any_payer.world.sandbox.clock.advance(2 * LEASE)
    await any_payer.world.deliver()
    assert await any_payer.state_after(minutes=LATER) == "booked"
    assert await any_payer.is_paid()


async def test_an_answer_of_our_own_tables_that_was_lost_books_once(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with open_billed_world("sqlite", sandboxes, tmp_path) as payer:
        session = await payer.world.start(await payer.world.request_link())
        payer.world.sandbox.faulty_billing.set_state("down")
        await payer.world.payfake.press(session)
        await payer.world.wait(seconds=20)
        payer.world.sandbox.faulty_billing.set_state("up")
        assert await payer.is_paid() and await payer.world.states() == ["booking"]
        assert await payer.state_after(minutes=LATER) == "booked" and await payer.is_paid()
