"""Coalesce items submitted while a call is running into one next call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class CallCoalescer(Generic[T, R]):
    """Collects single items into batched calls of `run`; every caller gets the result of its call."""

    def __init__(self, run: Callable[[list[T]], Awaitable[R]]) -> None:
        self._run = run
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._flush_task: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Submit an item; return the result of the call it was part of, or raise that call's exception."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._pending.append((item, answer))
        if self._flush_task is None or self._flush_task.done():
            self._flush_task = asyncio.create_task(self._flush())
        return await answer

    async def _flush(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                result = await self._run([item for item, _ in batch])
            except Exception as error:  # raised again in every caller; nobody awaits this task
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_result(result)
