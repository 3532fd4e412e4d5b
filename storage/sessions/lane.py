"""A lane: one connection to Redis, and the pipeline of script calls that is under way on it."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from hiredis import Reader
from redis.exceptions import ResponseError

from flows.failures import Down, Slow
from storage.sessions.calls import Call

_PARTIAL: Final = object()
"""No whole answer has come yet."""


class Lane(asyncio.Protocol):
    """One pipeline at a time, on a transport that redis-py has connected; answers come in its order.

    redis-py's own reading and writing costs a task, a timeout and several awaits a pipeline, and more
    for each answer. `home` is told when the lane is free again. It is `over` when nothing can be sent
    here any more: the connection broke, an answer is late (and must not meet the next pipeline), or Redis
    says it is no longer the master; `closed` is done a moment later. ConnectionResetError when the
    transport is closed already.
    """

    def __init__(self, transport: asyncio.Transport, home: Callable[["Lane"], None]) -> None:
        if transport.is_closing():
            raise ConnectionResetError("closed before it was used")
        self._loop = asyncio.get_running_loop()
        self.over = False
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._home = home
        self._reader = Reader(replyError=ResponseError, notEnoughData=_PARTIAL)
        self._waiting: deque[Call] = deque()
        self._unknown: list[Call] = []
        self._demoted = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport = transport
        transport.set_protocol(self)

    def send(self, calls: Sequence[Call], deadline: float) -> None:
        """Send a pipeline; every call is settled by `deadline`, of the loop's clock."""
        self._timer = self._loop.call_at(deadline, self._late)
        self._write(calls, known=True)

    def end(self, error: Exception) -> None:
        """Settle what is under way with a failure, and break the connection off."""
        self.over = True
        self._transport.abort()
        if self._timer:
            self._timer.cancel()
        for call in (*self._waiting, *self._unknown):
            call.settle(error)
        self._waiting.clear()
        self._unknown.clear()

    def data_received(self, data: bytes) -> None:
        """Hand out the answers that are whole."""
        if self.over:
            return
        self._reader.feed(data)
        while self._waiting and (answer := self._reader.gets()) is not _PARTIAL:
            self._came(self._waiting.popleft(), answer)
        if not self._waiting:
            self._arrived()

    def connection_lost(self, exc: Exception | None) -> None:
        """Redis closed the connection, or the network did."""
        self.end(exc or Down("redis: broken off"))
        self.closed.set_result(None)

    def _write(self, calls: Sequence[Call], *, known: bool) -> None:
        self._waiting.extend(calls)
        self._transport.write(b"".join([call.packed(known=known) for call in calls]))

    def _came(self, call: Call, answer: Any) -> None:
        if isinstance(answer, ResponseError):
            said = str(answer)
            if said.startswith("NOSCRIPT"):
                self._unknown.append(call)
                return
            self._demoted |= said.startswith("READONLY")
        call.settle(answer)

    def _arrived(self) -> None:
        """Scripts Redis had not seen (a restart, a new master) go once more, in full."""
        if self._unknown:
            unknown, self._unknown = self._unknown, []
            self._write(unknown, known=False)
        elif self._demoted or self._reader.has_data():
            self.end(Down("redis: not to be asked again"))
        else:
            self._free()

    def _free(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._home(self)

    def _late(self) -> None:
        self.end(Slow("redis: no answer in time"))
