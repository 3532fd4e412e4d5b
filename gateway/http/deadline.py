"""Timeout for a coroutine that arms its timer only once the coroutine blocks."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
AnyCoroutine = Coroutine[Any, Any, T]


async def with_timeout(timeout_seconds: float, coroutine: AnyCoroutine[T]) -> T:
    """Return the coroutine's result; TimeoutError once it has blocked for `timeout_seconds`.

    The coroutine runs up to its first suspension before a timer is created: most turns never suspend and pay
    nothing for the timeout.
    """
    try:
        pending = coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(timeout_seconds):
        return await _resume(coroutine, pending)


@types.coroutine
def _resume(coroutine: AnyCoroutine[T], pending: Any) -> Generator[Any, Any, T]:
    """Continue a started coroutine: yield what it waits for and pass results and exceptions back into it."""
    while True:
        try:
            sent, raised = (yield pending), None
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            sent, raised = None, error
        try:
            pending = coroutine.throw(raised) if raised else coroutine.send(sent)
        except StopIteration as done:
            result: T = done.value
            return result
