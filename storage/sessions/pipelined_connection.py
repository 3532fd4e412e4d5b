"""Pipelined Redis connection: commands written in one piece, answers read by hiredis in their order.

redis-py opens the connection (TLS, login, database, the sentinels' master) and closes it; in between its socket
is written and read here (docs/decisions/0410-scripts-are-sent-on-the-open-socket.md).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hiredis import ProtocolError, Reader, ReplyError
from redis.asyncio.connection import AbstractConnection

MAX_BATCHES = 2
"""Most writes that wait for answers; calls made meanwhile share the next one, larger under load."""
_DEMOTED = "READONLY"
"""How a server answers that was a master and is a replica now."""


class PackedCommand(NamedTuple):
    """A command on its way to Redis."""

    packed: bytes
    answer: asyncio.Future[Any]
    expires_at: float
    """Event-loop time at which the caller waits no longer."""


class PipelinedConnection(asyncio.Protocol):
    """An open connection to a Redis server and the commands it has not answered yet.

    `on_batch_end` is called when a write is answered completely, `on_lost` once, when the connection has ended.
    An error answer is set as hiredis's ReplyError. A caller that gave up does not affect the others: the answer
    to its command is read and dropped.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        on_batch_end: Callable[[], None],
        on_lost: Callable[["PipelinedConnection", Exception | None], None],
    ) -> None:
        writer = connection._writer
        if writer is None:
            raise ConnectionError("closed as soon as it was open")
        self.unanswered: deque[PackedCommand] = deque()
        self._connection, self._transport = connection, writer.transport
        self._on_batch_end, self._on_lost = on_batch_end, on_lost
        self._batch_sizes: deque[int] = deque()
        self._reader = Reader()
        self._transport.set_protocol(self)

    @property
    def can_send(self) -> bool:
        """Whether a batch can be sent now; else one of the two callbacks follows."""
        return len(self._batch_sizes) < MAX_BATCHES and not self._transport.is_closing()

    def send_commands(self, commands: Sequence[PackedCommand]) -> None:
        """Write the commands in one piece."""
        self.unanswered.extend(commands)
        self._batch_sizes.append(len(commands))
        self._transport.write(b"".join([command.packed for command in commands]))

    async def close(self) -> None:
        """Let redis-py note that the connection has ended; its state would warn of a leak otherwise."""
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Resolve the answers that are complete; end the connection when they are none."""
        self._reader.feed(data)
        batches = len(self._batch_sizes)
        try:
            while (value := self._reader.gets()) is not False:
                self._resolve_oldest(value)
        except (ProtocolError, IndexError):  # not Redis's protocol, or an answer to no command
            self._transport.abort()
        if len(self._batch_sizes) < batches:
            self._on_batch_end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Implement `asyncio.Protocol.connection_lost`."""
        self._on_lost(self, exc)

    def _resolve_oldest(self, value: Any) -> None:
        """Answer the oldest command; a server that is a replica now is left for the new master."""
        answer = self.unanswered.popleft().answer
        self._batch_sizes[0] -= 1
        if not self._batch_sizes[0]:
            self._batch_sizes.popleft()
        is_error = isinstance(value, ReplyError)
        if is_error and str(value).startswith(_DEMOTED):
            self._transport.abort()
        if answer.done():
            return
        if is_error:
            answer.set_exception(value)
        else:
            answer.set_result(value)
