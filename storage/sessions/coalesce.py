"""Script calls to Redis, those of one turn of the event loop sent as one pipeline."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from flows.failures import Down
from storage.sessions.calls import Call, Script, Word, failure
from storage.sessions.lane import Lane


class Coalescer:
    """One Redis (or a Sentinel's current master), a few connections, one pipeline for many calls.

    A call waits `budget_seconds` at most, counted from the oldest call of its pipeline. At most
    `lanes` pipelines are on their way at once; what comes meanwhile gathers for the next one: under load
    two make it larger than four do, and a turn a fifth cheaper. A caller that is cancelled changes nothing
    for the others. `guides` are closed with it.
    """

    def __init__(
        self, client: Redis, budget_seconds: float = 0.1, lanes: int = 2, guides: Sequence[Redis] = ()
    ) -> None:
        self._client = client
        self._guides = guides
        self._budget = budget_seconds
        self._most = lanes
        self._calls: list[Call] = []
        self._since = 0.0
        self._idle: list[Lane] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, script: Script, *words: Word) -> Any:
        """As `Caller.call`."""
        loop = asyncio.get_running_loop()
        call = Call(script, words, loop.create_future())
        if not self._calls:
            self._since = loop.time()
            loop.call_soon(self._depart)
        self._calls.append(call)
        return await call.answer

    async def load(self, *scripts: Script) -> None:
        """As `Caller.load`, with ten times the budget: the connection may still have to be made."""
        try:
            async with asyncio.timeout(10 * self._budget):
                for script in scripts:
                    await self._client.script_load(script.source)
        except (TimeoutError, RedisError, OSError) as error:
            raise failure(error) from error

    async def aclose(self) -> None:
        """As `Caller.aclose`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _fail(self._calls, Down("redis: closed"))
        for client in (self._client, *self._guides):
            await client.aclose()

    def _depart(self) -> None:
        """Send what has gathered, if a lane is free or may still be opened."""
        self._idle = [lane for lane in self._idle if not lane.over]
        if not self._idle and len(self._tasks) == self._most:
            return
        calls, self._calls = [call for call in self._calls if not call.answer.done()], []
        if not calls:
            return
        deadline = self._since + self._budget
        if self._idle:
            self._idle.pop().send(calls, deadline)
        else:
            self._open(calls, deadline)

    def _open(self, calls: Sequence[Call], deadline: float) -> None:
        task = asyncio.create_task(self._lane(calls, deadline))
        self._tasks.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._depart()

    def _home(self, lane: Lane) -> None:
        """Free again; what its answers wake calls before the next pipeline departs."""
        self._idle.append(lane)
        asyncio.get_running_loop().call_soon(self._depart)

    async def _lane(self, calls: Sequence[Call], deadline: float) -> None:
        """A lane for as long as it lasts; whatever happens, its calls are settled."""
        try:
            async with self._connected(deadline) as transport:
                lane = Lane(transport, self._home)
                try:
                    lane.send(calls, deadline)
                    await asyncio.shield(lane.closed)
                finally:
                    lane.end(Down("redis: closed"))
                    await lane.closed
        except (TimeoutError, RedisError, OSError) as error:
            _fail(calls, error)
        finally:
            _fail(calls, Down("redis: closed"))

    @asynccontextmanager
    async def _connected(self, deadline: float) -> AsyncIterator[asyncio.Transport]:
        """A connection redis-py has made: signed in, its database chosen, to whom the sentinels name."""
        pool = self._client.connection_pool
        async with asyncio.timeout_at(deadline):
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            yield connection._writer.transport
        finally:
            await connection.disconnect(nowait=True)
            await pool.release(connection)


def _fail(calls: Sequence[Call], error: Exception) -> None:
    for call in calls:
        call.settle(error)
