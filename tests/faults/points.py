"""Failpoints: places where a gateway under test kills or stops itself; test code only."""

import os
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flows.domain.ports import Ledger, Outbox
from flows.domain.records import Change, Parcel, Receipt, Settlement
from gateway.wiring.container import House

HOW = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(slots=True)
class Point:
    """`kill@sent`: a signal and a place. Each failpoint fires once."""

    how: str
    where: str

    def reached(self, where: str) -> None:
        if where == self.where:
            self.where = ""
            os.kill(os.getpid(), HOW[self.how])


class PointedOutbox:
    """Outbox that fires when rows are `claimed`, `handed` (not yet sent) and `sent` (not yet settled)."""

    def __init__(self, inner: Outbox, point: Point) -> None:
        self.inner, self.point = inner, point

    async def claim(self, most: int, now: datetime, full: Collection[tuple[str, str]] = ()) -> Sequence[Parcel]:
        parcels = await self.inner.claim(most, now, full)
        if parcels:
            self.point.reached("claimed")
        return parcels

    async def hold(self, parcels: Sequence[Parcel], now: datetime, *, sending: bool) -> Collection[int]:
        held = await self.inner.hold(parcels, now, sending=sending)
        if sending:
            self.point.reached("handed")
        return held

    async def put_back(self, later: Sequence[tuple[Parcel, datetime]], now: datetime) -> None:
        await self.inner.put_back(later, now)

    async def settle(self, parcel: Parcel, settlement: Settlement, now: datetime) -> bool:
        self.point.reached("sent")
        return await self.inner.settle(parcel, settlement, now)

    async def receipt(self, receipt: Receipt, now: datetime) -> None:
        await self.inner.receipt(receipt, now)

    async def wait(self, seconds: float) -> None:
        await self.inner.wait(seconds)


class PointedLedger:
    """Ledger that fires when a change is `committed` and no response has been sent yet."""

    def __init__(self, inner: Ledger, point: Point) -> None:
        self.inner, self.point = inner, point

    async def commit(self, change: Change) -> str:
        outcome = await self.inner.commit(change)
        if change.consents or change.notices:
            self.point.reached("committed")
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def armed(built: House, point: str) -> House:
    """Install the failpoint in a container; an empty string installs none."""
    if not point:
        return built
    how, _, where = point.partition("@")
    trap = Point(how, where)
    built.delivery.outbox = PointedOutbox(built.delivery.outbox, trap)
    for people in built.conversations.people.values():
        people.world = replace(people.world, ledger=PointedLedger(people.world.ledger, trap))
    return built
