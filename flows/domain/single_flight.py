"""Single flight: concurrent callers with the same question share one call under way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

K = TypeVar("K")
R = TypeVar("R")


class SingleFlight(Generic[K, R]):
    """Calls under way, by key. A call goes on when its callers give up, so that its answer can be cached."""

    def __init__(self) -> None:
        self._calls: dict[K, asyncio.Task[R]] = {}
        self._detached: set[asyncio.Task[R]] = set()

    async def join(self, key: K, start: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Return the answer of the call under way for this key, or of a new one; raise what it raises."""
        return await asyncio.shield(self.start(key, start))

    def start(self, key: K, start: Callable[[], Coroutine[Any, Any, R]]) -> asyncio.Task[R]:
        """Return the task of the call under way for this key, or of a new one; await it shielded."""
        task = self._calls.get(key)
        if task is None:
            task = self._calls[key] = asyncio.create_task(start())
            task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def detach(self, is_outdated: Callable[[K], bool]) -> None:
        """Let nobody join these calls any more: their answers are outdated. Their callers still get them."""
        for key in [key for key in self._calls if is_outdated(key)]:
            self._detached.add(self._calls.pop(key))

    async def close(self) -> None:
        """Cancel the calls under way, and wait for their end."""
        tasks = [*self._calls.values(), *self._detached]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finish(self, key: K, task: asyncio.Task[R]) -> None:
        self._detached.discard(task)
        if self._calls.get(key) is task:
            del self._calls[key]
        if not task.cancelled():
            task.exception()  # marks an error as seen: its callers raise it, if any are left
