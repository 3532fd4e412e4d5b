"""Concurrency limit with load shedding: some calls run, some wait in order, the next is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.failures import Failure, Overloaded


@dataclass(slots=True)
class ConcurrencyLimit:
    """Lets `max_running` callers run at once and `max_waiting` wait, first come, first served; sheds the next.

    `async with limit:` holds a place; so do `acquire` and `release` where the work outlives its caller.
    """

    max_running: int
    max_waiting: int = 0
    build_failure: Callable[[], Failure] = Overloaded
    """Builds the failure a shed caller gets."""
    in_use: int = field(default=0, init=False)
    """Callers that run or wait, for metrics."""
    shed_count: int = field(default=0, init=False)
    """Callers shed so far, for metrics."""
    slots: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.max_running)

    @property
    def is_full(self) -> bool:
        """Return whether every place to run and every place to wait is taken."""
        return self.in_use >= self.max_running + self.max_waiting

    async def acquire(self) -> None:
        """Take a place to run, waiting for it; raises the shed caller's failure when the limit is full."""
        if self.is_full:
            self.shed_count += 1
            raise self.build_failure()
        self.in_use += 1
        try:
            await self.slots.acquire()
        except BaseException:
            self.in_use -= 1
            raise

    def release(self) -> None:
        """Give the place back."""
        self.in_use -= 1
        self.slots.release()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()
