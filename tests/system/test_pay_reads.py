"""The pay screen reads billing once where its list of bills is live, and never takes an amount from a cache."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from flows.domain.ports import Billing
from tests.support.billing.backends import payment_of
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"
BILL_READS = ("list_bills", "get_bill", "read_live_bill", "find_debit", "read_live_account")
SLOW_READS = ["find_debit", "list_bills", "read_live_bill"]
"""What is read where a bill must be read by itself, sorted: the list, then the bill and the mandate."""


@dataclass
class RecordedBilling:
    """Billing that notes what is read of bills, with or without the capability of a live list."""

    inner: Billing
    has_live_list: bool
    reads: list[str] = field(default_factory=list)

    @property
    def capabilities(self) -> Collection[str]:
        return {*self.inner.capabilities} - (set() if self.has_live_list else {"live_list"})

    def __getattr__(self, name: str) -> Any:
        if name in BILL_READS:
            self.reads.append(name)
        return getattr(self.inner, name)


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, "orange-ro", ANA) as opened:
        yield opened


def record_reads(world: PaymentWorld, lists: str) -> RecordedBilling:
    ports = world.sandbox.container.operators[world.operator]
    billing = RecordedBilling(ports.billing, lists == "live")
    ports.billing = billing  # type: ignore[assignment]
    return billing


async def pay_part(world: PaymentWorld, amount: str) -> None:
    paid = replace(payment_of(await world.bill(), f"shop-{amount}"), amount=Decimal(amount))
    await world.sandbox.faulty_billing.book_payment(paid)


@pytest.mark.parametrize(("lists", "reads"), [("live", ["read_live_account"]), ("shallow", SLOW_READS)])
async def test_M14_the_pay_screen_reads_bills_once_where_their_list_is_live(
    world: PaymentWorld, lists: str, reads: list[str]
) -> None:
    await pay_part(world, "20.00")
    billing = record_reads(world, lists)
    assert "59,90" in await world.text("PLATA")
    assert sorted(billing.reads) == reads


@pytest.mark.parametrize("lists", ["live", "shallow"])
async def test_M14_a_bill_paid_meanwhile_is_not_offered(world: PaymentWorld, lists: str) -> None:
    record_reads(world, lists)
    await pay_part(world, "79.90")
    assert "nimic de plata" in await world.text("PLATA")


@pytest.mark.parametrize("lists", ["live", "shallow"])
async def test_M14_the_second_payer_is_told_that_the_bill_is_being_paid(
    world: PaymentWorld, lists: str
) -> None:
    await world.start(await world.request_link(), "silent")
    record_reads(world, lists)
    assert "a doua oar" in await world.text("PLATA")
