"""Bounded: awaiting something under a deadline, with a timer only for what really waits."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Coroutine[Any, Any, T]


async def within(seconds: float, work: Steps[T]) -> T:
    """What `work` returns; TimeoutError once it has waited so long.

    It runs up to its first wait before a timer is made: a turn that never waits, as most, costs none.
    """
    try:
        waited = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(seconds):
        return await _rest(work, waited)


@types.coroutine
def _rest(work: Steps[T], waited: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that already waits: hand its wait up, and hand it down what comes of it."""
    while True:
        try:
            came, broken = (yield waited), None
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            came, broken = None, error
        try:
            waited = work.throw(broken) if broken else work.send(came)
        except StopIteration as done:
            result: T = done.value
            return result
