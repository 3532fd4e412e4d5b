"""A worker killed as soon as billing was asked to book: the answer, if any, reaches nobody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flows.domain.failures import BookingUnconfirmed
from flows.domain.records import DeferredStep
from gateway.delivery.outbox_worker import OutboxWorker


@contextmanager
def killing_worker(worker: OutboxWorker, step_name: str) -> Iterator[None]:
    """Cancel the worker's task after each step of that name: its lease runs out, nothing is recorded."""
    run_step = worker.run_deferred_step

    async def run_and_die(step: DeferredStep) -> None:
        with suppress(BookingUnconfirmed):
            await run_step(step)
        if step.step == step_name:
            raise asyncio.CancelledError

    worker.run_deferred_step = run_and_die
    yield
    worker.run_deferred_step = run_step
