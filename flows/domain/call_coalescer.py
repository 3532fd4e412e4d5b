"""Call coalescer (batcher): items submitted while a call is running share the next call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from flows.domain.failures import Down, Overloaded

T = TypeVar("T")
R = TypeVar("R")
MAX_BATCH = 1_000
"""Most items of one call, where its owner sets no limit of its own."""
MAX_WAITING = 10_000
"""Most items that wait for a call, where its owner sets no limit of its own."""


class CallCoalescer(Generic[T, R]):
    """Collects single items, in their order, into calls of `run_batch`, which returns an answer for each.

    An answer that is an exception is raised by that item's caller only; an exception `run_batch` raises, by
    every caller of the batch. A caller that gives up before its batch begins takes its item back, unless
    `keeps_abandoned`; later it does not affect the batch. At most `max_running` batches run at once, of
    `max_batch` items each.
    """

    def __init__(
        self,
        run_batch: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        max_batch: int = MAX_BATCH,
        max_running: int = 1,
        max_waiting: int = MAX_WAITING,
        keeps_abandoned: bool = False,
    ) -> None:
        self._run_batch = run_batch
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._free_batches = max_running
        self._keeps_abandoned = keeps_abandoned
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def submit(self, item: T) -> asyncio.Future[R]:
        """Add an item to the next batch; the future, cheaper than a task, resolves to its answer.

        The batch begins in the event loop's next iteration. Raises Overloaded when `max_waiting` items wait,
        Down after `close` and `abort`.
        """
        if self._is_closed:
            raise Down("closed")
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded("too many calls are waiting")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._start_batches)
        self._waiting.append((item, answer))
        return answer

    async def close(self) -> None:
        """Refuse new items, and return when all that were submitted have their answers."""
        self._is_closed = True
        self._start_batches()
        while self._batches:
            await asyncio.wait(self._batches)

    async def abort(self) -> None:
        """Refuse new items; cancel the batches under way and fail every caller with Down."""
        self._is_closed = True
        waiting, self._waiting = self._waiting, []
        _resolve_all(waiting, [Down("closed")] * len(waiting))
        for batch in self._batches:
            batch.cancel()
        await asyncio.gather(*self._batches, return_exceptions=True)

    def _start_batches(self) -> None:
        while self._waiting and self._free_batches:
            taken, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            calls = [call for call in taken if self._keeps_abandoned or not call[1].done()]
            if calls:
                self._start_batch(calls)

    def _start_batch(self, calls: list[tuple[T, asyncio.Future[R]]]) -> None:
        self._free_batches -= 1
        batch = asyncio.create_task(self._answer_calls(calls))
        self._batches.add(batch)
        batch.add_done_callback(self._finish_batch)

    def _finish_batch(self, batch: asyncio.Task[None]) -> None:
        self._batches.discard(batch)
        self._free_batches += 1
        self._start_batches()

    async def _answer_calls(self, calls: list[tuple[T, asyncio.Future[R]]]) -> None:
        answers: Sequence[R | Exception] = [Down("cancelled")] * len(calls)
        try:
            answers = await self._run_batch([item for item, _ in calls])
        except Exception as error:  # every caller raises it; nobody awaits this task
            answers = [error] * len(calls)
        finally:
            _resolve_all(calls, answers)


def _resolve_all(calls: Sequence[tuple[T, asyncio.Future[R]]], answers: Sequence[R | Exception]) -> None:
    for (_, future), answer in zip(calls, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
