"""An outbox that does not answer: the log says why, and when it answers again."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from flows.domain.failures import Down
from flows.domain.records import ClaimedMessage
from gateway.delivery.outbox_worker import OutboxWorker
from tests.support.gateway_sandbox import GatewaySandbox


class RecoveringOutbox:
    """Refuses the first two claims, then has no work and stops its worker."""

    def __init__(self) -> None:
        self.claims = 0
        self.worker: OutboxWorker | None = None

    async def claim(self, *_: Any) -> list[ClaimedMessage]:
        self.claims += 1
        if self.claims <= 2:
            raise Down from ConnectionRefusedError()
        assert self.worker
        self.worker.stop()
        return []

    async def wait_for_work(self, seconds: float) -> None:
        """Return at once."""


async def test_a_worker_says_why_its_outbox_is_out_and_when_it_is_back(
    sandbox: GatewaySandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dialtree.delivery")
    outbox: Any = RecoveringOutbox()
    outbox.worker = worker = replace(sandbox.container.outbox_worker, outbox=outbox)
    await worker.run()
    lines = [(each.message, getattr(each, "reason", "")) for each in caplog.records]
    out = ("outbox.unavailable", "connection_refused")
    assert lines == [out, out, ("outbox.available", "")]
