"""Bounded: awaiting something for so many seconds, with one timer for all who wait as long."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Coroutine[Any, Any, T]


@dataclass(eq=False, slots=True)
class _Wait:
    task: asyncio.Task[Any]
    until: float
    cancelled: int
    """How often others had cancelled the task when this began."""
    late: bool = False


@dataclass(slots=True)
class Limit:
    """So many seconds for each of many waits in one event loop.

    All wait equally long, so they run out in the order they began: the one timer rings for the oldest.
    A timer for each, made and cancelled, costs three times as much.
    """

    seconds: float
    _waits: dict[_Wait, None] = field(default_factory=dict, repr=False)
    """The oldest first."""
    _armed: bool = False

    async def within(self, work: Steps[T]) -> T:
        """What `work` returns; TimeoutError once it has waited too long.

        It runs up to its first wait before that is noted: a turn that never waits, as most, costs nothing.
        """
        try:
            waited = work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        wait = self._begun()
        try:
            return await _rest(work, waited)
        except asyncio.CancelledError as error:
            if wait.late and wait.task.cancelling() <= wait.cancelled + 1:  # by nobody else
                raise TimeoutError from error
            raise
        finally:
            self._ended(wait)

    def _begun(self) -> _Wait:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be stopped")
        wait = _Wait(task, loop.time() + self.seconds, task.cancelling())
        self._waits[wait] = None
        if not self._armed:
            self._armed = True
            loop.call_at(wait.until, self._ring)
        return wait

    def _ended(self, wait: _Wait) -> None:
        del self._waits[wait]
        if wait.late:
            wait.task.uncancel()

    def _ring(self) -> None:
        """Stop those whose time is over; ring again for the oldest of the others."""
        loop = asyncio.get_running_loop()
        self._armed = False
        for wait in self._waits:
            if wait.until > loop.time():
                self._armed = True
                loop.call_at(wait.until, self._ring)
                return
            if not wait.late:
                wait.late = True
                wait.task.cancel()


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
