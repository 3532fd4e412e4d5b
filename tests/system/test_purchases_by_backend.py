"""Purchases behind TM Forum and Kill Bill: a charge or refund reaches billing once, whatever gets lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from flows.domain.failures import UNANSWERED_SECONDS
from flows.domain.purchase_records import Charge, PolicyChange
from flows.purchases.charge_tasks import HAND_OVER
from flows.purchases.charging import PurchaseCharging, PurchaseOrder
from flows.purchases.refunding import RefundOrder
from gateway.demo.bss.added_charges import REFUSES_CHARGES
from gateway.demo.bss.data import BssRecords
from gateway.demo.bss.fault_modes import BOOKS_LATE, LOST_ANSWER
from gateway.dialogs.format import parse_dialog
from storage.outbox.claim import LEASE
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.killed_worker import killing_worker
from tests.system.test_dialogs_by_backend import open_with_backend

LUC = "+33660000101"
ORDER = PurchaseOrder("parkplus", "parking", LUC, Decimal("2.50"), "Zone 2", "ref-1", "")
LATER = timedelta(seconds=UNANSWERED_SECONDS)


@dataclass
class RemoteShop:
    """A merchant of Bouygues', whose bills are at a BSS over the network."""

    sandbox: GatewaySandbox
    bss: BssRecords

    @property
    def charging(self) -> PurchaseCharging:
        container = self.sandbox.container
        return PurchaseCharging(self.sandbox.menu, container.operators["bouygues"], container.pseudonyms)

    async def allow(self) -> None:
        ports = self.sandbox.container.operators["bouygues"]
        owner = await ports.billing.get_subscriber(LUC)
        change = PolicyChange("k", "bouygues", owner.id, self.sandbox.clock(), is_enabled=True)
        assert ports.policies
        await ports.policies.change_policy(replace(change, monthly_cap=Decimal(50)))

    async def buy(self) -> Charge:
        return (await self.charging.charge(ORDER, is_two_step=False)).charge

    async def deliver(self, after: timedelta = timedelta()) -> list[str]:
        """Deliver the outbox once so much time has passed; return the messages."""
        self.sandbox.clock.advance(after)
        return [each.body for each in await self.sandbox.messages.collect_new()]

    async def is_billed(self, charge: Charge) -> bool:
        charges = self.sandbox.container.operators["bouygues"].charges
        found = await charges.find_charge("bouygues", charge.id) if charges else None
        return bool(found and found.is_billed)


@pytest.fixture(params=["tmf678-v4", "killbill"])
async def shop(
    request: pytest.FixtureRequest, sandboxes: SandboxFactory, tmp_path: Path
) -> AsyncIterator[RemoteShop]:
    dialog = parse_dialog("operator bouygues\n", "shop")
    async with open_with_backend(request.param, sandboxes, dialog, tmp_path) as (sandbox, bss):
        opened = RemoteShop(sandbox, bss)
        await opened.allow()
        yield opened


async def test_B19_a_charge_and_its_refund_are_on_the_next_bill_of_a_bss(shop: RemoteShop) -> None:
    charge = await shop.buy()
    assert len(await shop.deliver()) == 1 and await shop.is_billed(charge)
    order = RefundOrder("partial", Decimal(1), "ref-1", "r1")
    made = await shop.charging.refunds.refund_charge(charge, order)
    assert len(await shop.deliver()) == 1 and len(shop.bss.charges) == 2
    charges = shop.sandbox.container.operators["bouygues"].charges
    refund = await charges.find_refund("bouygues", made.refund.id) if charges else None
    assert refund and refund.is_billed


@pytest.mark.parametrize("fault", [LOST_ANSWER, BOOKS_LATE])
async def test_B19_a_charge_without_an_answer_is_billed_once(shop: RemoteShop, fault: str) -> None:
    shop.bss.faults.add(fault)
    charge = await shop.buy()
    await shop.deliver()
    assert not await shop.is_billed(charge)
    await shop.deliver(LATER / 2)
    shop.bss.apply_accepted()
    await shop.deliver(LATER)
    assert await shop.is_billed(charge) and len(shop.bss.charges) == 1


async def test_B19_a_charge_whose_worker_was_killed_while_billing_books_is_billed_once(
    shop: RemoteShop,
) -> None:
    shop.bss.faults.add(BOOKS_LATE)
    charge = await shop.buy()
    with killing_worker(shop.sandbox.container.outbox_worker, HAND_OVER), pytest.raises(asyncio.CancelledError):
        await shop.deliver()
    await shop.deliver(2 * LEASE)
    assert not await shop.is_billed(charge)
    shop.bss.apply_accepted()
    await shop.deliver(LATER)
    assert await shop.is_billed(charge) and len(shop.bss.charges) == 1


async def test_B19_a_charge_waits_for_billing_that_is_down(shop: RemoteShop) -> None:
    shop.sandbox.faulty_billing.set_state("up")
    charge = await shop.buy()
    shop.sandbox.faulty_billing.set_state("down")
    await shop.deliver()
    shop.sandbox.faulty_billing.set_state("up")
    await shop.deliver(LATER)
    assert await shop.is_billed(charge) and len(shop.bss.charges) == 1


async def test_a_charge_that_billing_refuses_is_an_alert(
    shop: RemoteShop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.bss.faults.add(REFUSES_CHARGES)
    charge = await shop.buy()
    await shop.deliver()
    (alert,) = [each for each in caplog.records if each.getMessage() == "purchases.hand_over_refused"]
    assert alert.levelname == "ERROR" and vars(alert)["payment"] == charge.id[:12]
    assert not await shop.is_billed(charge)
