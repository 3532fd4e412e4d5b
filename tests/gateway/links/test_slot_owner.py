"""Slot owners: never two connected, standby until the lease is free, closed before it can pass on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from flows.domain.records import OutboundMessage
from gateway.links.link_pool import LinkPool
from gateway.links.slot_owner import LeaseTimes, SlotOwner
from gateway.providers.contract import LinkReport, SentMessage
from storage.links.slot_leases import LinkSlot, SqlSlotLeases
from storage.sql.engine import Database
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url

SLOT = LinkSlot("orange-ro", "smpp", 0)
QUICK = LeaseTimes(standby=0.02, renewal=0.02, held=5.0)


class NetworkName:
    """A name only one connection may have; notes if ever two have it."""

    def __init__(self) -> None:
        self.holders: list[str] = []
        self.most_at_once = 0
        self.changed = asyncio.Event()

    def note(self) -> None:
        self.most_at_once = max(self.most_at_once, len(self.holders))
        self.changed.set()

    async def wait_for(self, *holders: str) -> None:
        async with asyncio.timeout(20):
            while self.holders != [*holders]:
                self.changed.clear()
                await self.changed.wait()


class NamedLink:
    """A link that holds the name while it runs."""

    def __init__(self, name: NetworkName, process: str) -> None:
        self.name, self.process, self.drained = name, process, False

    async def run(self) -> None:
        self.name.holders.append(self.process)
        self.name.note()
        try:
            await asyncio.Event().wait()
        finally:
            self.name.holders.remove(self.process)
            self.name.note()

    async def send(self, notice: OutboundMessage) -> SentMessage:
        return SentMessage("smpp", self.process)

    async def drain(self) -> None:
        self.drained = True

    def report(self) -> LinkReport:
        return LinkReport("up")


@asynccontextmanager
async def run_owner(
    database: Database, name: NetworkName, process: str, times: LeaseTimes = QUICK
) -> AsyncIterator[SlotOwner]:
    leases = SqlSlotLeases(database, process, lambda: datetime.now(UTC))
    owner = SlotOwner(SLOT, leases, lambda: NamedLink(name, process), LinkPool(), asyncio.Event(), times)
    running = asyncio.create_task(owner.run())
    try:
        yield owner
    finally:
        owner.stop_event.set()
        await running


async def test_a_second_process_stands_by_and_takes_over_on_a_stop(database: Database) -> None:
    name = NetworkName()
    async with run_owner(database, name, "a") as first:
        await name.wait_for("a")
        async with run_owner(database, name, "b"):
            (link,) = first.pool.links.values()
            first.stop_event.set()
            await name.wait_for("b")
            assert isinstance(link, NamedLink) and link.drained
    assert name.most_at_once == 1 and name.holders == []


async def test_a_lease_another_process_took_closes_the_link(database: Database) -> None:
    name = NetworkName()
    async with run_owner(database, name, "a"):
        await name.wait_for("a")
        leases = SqlSlotLeases(database, "a", lambda: datetime.now(UTC))
        assert await leases.take_slot(SLOT) == 2
        await name.wait_for()
        await leases.free_slot(SLOT, 2)
        await name.wait_for("a")


async def test_a_database_that_is_gone_closes_the_link_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = NetworkName()
    async with run_owner(database, name, "a", LeaseTimes(standby=0.02, renewal=0.02, held=0.5)) as owner:
        await name.wait_for("a")
        monkeypatch.setattr(owner.leases, "renew_slot", lambda *_: asyncio.Event().wait())
        await name.wait_for()
        assert asyncio.get_running_loop().time() >= owner.held_until
        monkeypatch.undo()
        await name.wait_for("a")


async def test_a_link_that_breaks_is_opened_again(database: Database) -> None:
    name, opened = NetworkName(), 0
    leases = SqlSlotLeases(database, "a", lambda: datetime.now(UTC))

    def open_link() -> NamedLink:
        nonlocal opened
        opened += 1
        link = NamedLink(name, "a")
        if opened == 1:
            link.run = fail_at_once  # type: ignore[method-assign]  # the first one breaks
        return link

    owner = SlotOwner(SLOT, leases, open_link, LinkPool(), asyncio.Event(), QUICK)
    running = asyncio.create_task(owner.run())
    await name.wait_for("a")
    owner.stop_event.set()
    await running
    assert opened == 2


async def fail_at_once() -> None:
    raise LookupError("broken")
