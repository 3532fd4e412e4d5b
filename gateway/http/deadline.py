"""Timeout for a coroutine that arms its timer only once the coroutine blocks."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Coroutine[Any, Any, T]


async def within(seconds: float, work: Steps[T]) -> T:
    """Return the coroutine's result; TimeoutError once it has blocked for `timeout_seconds`.

    The coroutine runs up to its first suspension before a timer is created: most turns never suspend and pay
    nothing for the timeout.
    """
    try:
        pending = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(seconds):
        return await _rest(work, pending)


@types.coroutine
def _rest(work: Steps[T], waited: Any) -> Generator[Any, Any, T]:
    """Continue a started coroutine: yield what it waits for and pass results and exceptions back into it."""
    while True:
        try:
            sent, raised = (yield waited), None
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            sent, raised = None, error
        try:
            waited = work.throw(raised) if raised else work.send(sent)
        except StopIteration as done:
            result: T = done.value
            return result
