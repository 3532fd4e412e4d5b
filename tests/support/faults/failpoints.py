"""Failpoints: places where a gateway under test kills or stops itself; test code only."""

import os
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.ports import Ledger, Outbox
from flows.domain.records import ChangeSet, ClaimedMessage, DeliveryOutcome, Receipt
from gateway.wiring.container import Container
from tests.support.faults.payment_life import count_steps

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(slots=True)
class Failpoint:
    """`kill@sent`: a signal and a place. Each failpoint fires once."""

    action: str
    place: str

    def reach(self, where: str) -> None:
        if where == self.place:
            self.place = ""
            os.kill(os.getpid(), SIGNALS[self.action])


class FailpointOutbox:
    """Outbox that fires when rows are `claimed`, `handed` (not yet sent) and `sent` (not yet settled)."""

    def __init__(self, inner: Outbox, point: Failpoint) -> None:
        self.inner, self.failpoint = inner, point

    async def claim(
        self, limit: int, now: datetime, scope: ClaimScope = EVERYTHING
    ) -> Sequence[ClaimedMessage]:
        parcels = await self.inner.claim(limit, now, scope)
        if parcels:
            self.failpoint.reach("claimed")
        return parcels

    async def renew_leases(
        self, parcels: Sequence[ClaimedMessage], now: datetime, *, sending: bool
    ) -> Collection[int]:
        held = await self.inner.renew_leases(parcels, now, sending=sending)
        if sending:
            self.failpoint.reach("handed")
        return held

    async def release_unsent(self, later: Sequence[tuple[ClaimedMessage, datetime]], now: datetime) -> None:
        await self.inner.release_unsent(later, now)

    async def record_outcome(self, parcel: ClaimedMessage, settlement: DeliveryOutcome, now: datetime) -> bool:
        self.failpoint.reach("sent")
        return await self.inner.record_outcome(parcel, settlement, now)

    async def record_receipt(self, receipt: Receipt, now: datetime) -> None:
        await self.inner.record_receipt(receipt, now)

    async def wait_for_work(self, seconds: float) -> None:
        await self.inner.wait_for_work(seconds)


class FailpointLedger:
    """Ledger that fires when a change is `committed` and no response has been sent yet."""

    def __init__(self, inner: Ledger, point: Failpoint) -> None:
        self.inner, self.failpoint = inner, point

    async def commit(self, change: ChangeSet) -> str:
        outcome = await self.inner.commit(change)
        if change.consents or change.messages:
            self.failpoint.reach("committed")
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def arm_failpoint(built: Container, point: str) -> Container:
    """Install the failpoint in a container; an empty string installs none."""
    if not point:
        return built
    how, _, where = point.partition("@")
    if how == "step":
        count_steps(built, int(where))
        return built
    trap = Failpoint(how, where)
    built.outbox_worker.outbox = FailpointOutbox(built.outbox_worker.outbox, trap)
    for ports in built.operators.values():
        ports.ledger = FailpointLedger(ports.ledger, trap)
    return built
