"""Command pipeline to one Redis server: connects when needed and limits how long a call waits."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection

from flows.domain.call_coalescer import MAX_WAITING
from flows.domain.failures import Down, Overloaded
from storage.sessions.pipelined_connection import PackedCommand, PipelinedConnection
from storage.sessions.redis_errors import translate_error

_TIMER_SLACK_SECONDS = 0.001
"""A timer of the event loop may fire a little early."""


class CommandPipeline:
    """Sends the commands of one event-loop iteration to a Redis server in one piece.

    `build_connection` returns a new connection of redis-py, which is opened at the first command and after a
    failure. A command whose time is over fails with Slow, and with it those sent before and after it: what a
    silent server did with them is unknown, so none is sent again. A lost connection fails with Down what was
    sent; what was not sent yet waits for the next connection.
    """

    def __init__(self, build_connection: Callable[[], AbstractConnection]) -> None:
        self._build_connection = build_connection
        self._waiting: list[PackedCommand] = []
        self._connection: PipelinedConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._is_closed = False

    def submit(self, packed: bytes, expires_at: float) -> asyncio.Future[Any]:
        """Send a packed command in the event loop's next iteration; the future resolves to its answer.

        It raises Slow at `expires_at` (event-loop time), Down when the connection fails, hiredis's ReplyError
        on an error answer. Raises Overloaded when too many commands wait already, Down after `aclose`.
        """
        if self._is_closed:
            raise Down("closed")
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("too many calls are waiting")
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send_waiting)
        if expires_at < self._timer_at:
            self._set_timer(loop, expires_at)
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(PackedCommand(packed, answer, expires_at))
        return answer

    async def aclose(self) -> None:
        """Close the connection; commands under way fail with Down."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        waiting, self._waiting = self._waiting, []
        _fail_commands(waiting, Down("closed"))
        self._leave_connection(Down("closed"))
        await asyncio.gather(*self._closing)

    def _send_waiting(self) -> None:
        """Send what waits, if the connection is free for it; connect if there is none."""
        if self._connection is None:
            self._start_connecting()
        elif self._connection.can_send:
            commands, self._waiting = [each for each in self._waiting if not each.answer.done()], []
            if commands:
                self._connection.send_commands(commands)

    def _start_connecting(self) -> None:
        if self._waiting and self._connecting is None and not self._is_closed:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._finish_connecting)

    async def _connect(self) -> None:
        """Connect within the time of the oldest command."""
        if not self._waiting:
            return
        connection = self._build_connection()
        try:
            async with asyncio.timeout_at(self._waiting[0].expires_at):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._connection = PipelinedConnection(connection, self._send_waiting, self._lose_connection)
        finally:
            if self._connection is None:
                await connection.disconnect(nowait=True)

    def _finish_connecting(self, task: asyncio.Task[None]) -> None:
        """Send what waits; a failure other than time fails all that waits."""
        self._connecting = None
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, TimeoutError):
            self._fail_expired(asyncio.get_running_loop().time() + _TIMER_SLACK_SECONDS)
        elif isinstance(error, Exception):
            waiting, self._waiting = self._waiting, []
            _fail_commands(waiting, error)
        self._send_waiting()

    def _lose_connection(self, lost: PipelinedConnection, error: Exception | None) -> None:
        """Fail what was sent, and connect anew for what waits."""
        if lost is self._connection:
            self._leave_connection(error or ConnectionError("closed by the server"))
            self._send_waiting()

    def _leave_connection(self, error: Exception) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        _fail_commands(connection.unanswered, error)
        connection.unanswered.clear()
        task = asyncio.create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _set_timer(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = loop.call_at(when, self._check_time), when

    def _check_time(self) -> None:
        """Fail commands whose time is over, and come back when the next one's is."""
        loop = asyncio.get_running_loop()
        now = loop.time() + _TIMER_SLACK_SECONDS
        self._timer, self._timer_at = None, float("inf")
        if self._connection is not None and any(each.expires_at <= now for each in self._connection.unanswered):
            self._leave_connection(TimeoutError())
        self._fail_expired(now)
        self._send_waiting()
        sent = self._connection.unanswered if self._connection is not None else ()
        if self._waiting or sent:
            self._set_timer(loop, min(each.expires_at for each in (*self._waiting, *sent)))

    def _fail_expired(self, now: float) -> None:
        expired = [each for each in self._waiting if each.expires_at <= now]
        self._waiting = [each for each in self._waiting if each.expires_at > now]
        _fail_commands(expired, TimeoutError())


def _fail_commands(commands: Sequence[PackedCommand], error: Exception) -> None:
    """Fail each caller with an exception of its own."""
    for command in commands:
        if not command.answer.done():
            failure = translate_error(error)
            failure.__cause__ = error
            command.answer.set_exception(failure)
