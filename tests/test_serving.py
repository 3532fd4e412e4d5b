"""Process supervision: a process ends when an essential part of it fails."""

import asyncio
import gc
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import pytest

from flows.domain.records import Parcel
from gateway.delivery.maintenance import Upkeep
from gateway.server.app import Part, serve
from storage.audit.trail import SqlAudit
from storage.outbox.store import SqlOutbox
from tests.sql import SECRET
from tests.world import World, Worlds

LONG_SECONDS = 20.0
"""Longer than ending takes on the slowest machine, in seconds."""


class BrokenOutbox(SqlOutbox):
    """An outbox with a bug: it raises an error that delivery does not handle."""

    async def claim(self, most: int, now: datetime, full: Collection[tuple[str, str]] = ()) -> Sequence[Parcel]:
        raise LookupError("claim")


class BrokenAudit(SqlAudit):
    """An audit trail with the same bug; it signals when it is called."""

    asked: asyncio.Event

    async def chain(self) -> int:
        self.asked.set()
        raise LookupError("chain")


@pytest.fixture(autouse=True)
def unfrozen_gc() -> Iterator[None]:
    """Unfreeze the garbage collector: serving freezes objects for good, which a test must not."""
    usual = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


async def test_serving_ends_when_its_delivery_fails(sandboxes: Worlds) -> None:
    async with sandboxes.open(more={"port": 0, "red_seconds": 0}) as sandbox:
        sandbox.house.delivery.outbox = BrokenOutbox(sandbox.house.database, SECRET)
        with pytest.RaisesGroup(LookupError):
            await asyncio.wait_for(serve(sandbox.house, Part(deliver=True)), LONG_SECONDS)


async def test_a_failed_maintenance_round_stops_no_other(sandbox: World) -> None:
    audit = BrokenAudit(sandbox.house.database, sandbox.house.notebook.auditor)
    audit.asked = asyncio.Event()
    running = asyncio.create_task(Upkeep(sandbox.house.database, audit, sandbox.clock).run())
    await audit.asked.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
