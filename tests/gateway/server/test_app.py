"""Process supervision: a process ends when an essential part of it fails."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.records import ClaimedMessage
from gateway.delivery.maintenance import MaintenanceLoop
from gateway.server.app import ProcessRole, serve
from storage.audit.trail import SqlAuditChain
from storage.outbox.sql_outbox import SqlOutbox
from tests.support.databases import SECRET
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

LONG_SECONDS = 20.0
"""Longer than ending takes on the slowest machine, in seconds."""


class BrokenOutbox(SqlOutbox):
    """An outbox with a bug: it raises an error that delivery does not handle."""

    async def claim(
        self, limit: int, now: datetime, scope: ClaimScope = EVERYTHING
    ) -> Sequence[ClaimedMessage]:
        raise LookupError("claim")


class BrokenAudit(SqlAuditChain):
    """An audit log with the same bug; it signals when it is called."""

    chain_requested: asyncio.Event

    async def chain_entries(self) -> int:
        self.chain_requested.set()
        raise LookupError("chain")


@pytest.fixture(autouse=True)
def usual_collector() -> Iterator[None]:
    """Restore the thresholds; what was frozen stays so, as all tests and modules were before."""
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)


async def test_serving_ends_when_its_delivery_fails(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(more={"port": 0, "red_seconds": 0}) as sandbox:
        sandbox.container.outbox_worker.outbox = BrokenOutbox(sandbox.container.database, SECRET)
        with pytest.RaisesGroup(LookupError):
            await asyncio.wait_for(serve(sandbox.container, ProcessRole(delivers=True)), LONG_SECONDS)


async def test_a_failed_maintenance_round_stops_no_other(sandbox: GatewaySandbox) -> None:
    audit = BrokenAudit(sandbox.container.database, sandbox.container.write_behind.audit_writer)
    audit.chain_requested = asyncio.Event()
    running = asyncio.create_task(MaintenanceLoop(sandbox.container.database, audit, sandbox.clock).run())
    await audit.chain_requested.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
