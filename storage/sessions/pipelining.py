"""Redis script client with automatic pipelining: calls of one event-loop iteration share a round trip."""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from flows.domain.failures import Down, Slow, Unavailable

Word = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script with its SHA-1 for EVALSHA; it uses keys of one hash tag only."""

    source: str = field(repr=False)
    keys: int
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


class Caller(Protocol):
    """A client that runs Lua scripts in Redis."""

    async def call(self, script: Script, *words: Word) -> Any:
        """Run a script with its keys and arguments, and return the answer.

        Raises Slow when no answer came within the budget, Down on an error answer or a lost connection.
        """

    async def load(self, *scripts: Script) -> None:
        """Load scripts before their first use; raises as `run_script` does."""

    async def aclose(self) -> None:
        """Close the connections; calls under way fail with Down."""


@dataclass(slots=True)
class _Call:
    script: Script
    words: tuple[Word, ...]
    answer: asyncio.Future[Any]


class Coalescer:
    """Script client of one Redis (or a Sentinel's current master) that pipelines concurrent calls.

    A call waits `budget_seconds` at most, counted from the oldest call of its pipeline. At most
    `max_pipelines` are under way at once; calls made meanwhile join the next one: under load two make
    it larger than four do, and a turn a fifth cheaper. A cancelled caller does not affect the others.
    The `sentinels` are closed with the client.
    """

    def __init__(
        self, client: Redis, budget_seconds: float = 0.1, lanes: int = 2, guides: Sequence[Redis] = ()
    ) -> None:
        self._client = client
        self._guides = guides
        self._budget = budget_seconds
        self._free = lanes
        self._calls: list[_Call] = []
        self._since = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, script: Script, *words: Word) -> Any:
        """Implement `ScriptClient.run_script`."""
        loop = asyncio.get_running_loop()
        call = _Call(script, words, loop.create_future())
        if not self._calls:
            self._since = loop.time()
            loop.call_soon(self._depart)
        self._calls.append(call)
        return await call.answer

    async def load(self, *scripts: Script) -> None:
        """Implement `ScriptClient.load_scripts`, with ten times the budget: it may have to connect first."""
        try:
            async with asyncio.timeout(10 * self._budget):
                for script in scripts:
                    await self._client.script_load(script.source)
        except (TimeoutError, RedisError, OSError) as error:
            raise failure(error) from error

    async def aclose(self) -> None:
        """Implement `ScriptClient.aclose`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _fail(self._calls, Down("redis: client closed"))
        for client in (self._client, *self._guides):
            await client.aclose()

    def _depart(self) -> None:
        if not self._calls or not self._free:
            return
        self._free -= 1
        calls, self._calls = self._calls, []
        task = asyncio.create_task(self._travel(calls, self._since + self._budget))
        self._tasks.add(task)
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free += 1
        self._depart()

    async def _travel(self, calls: list[_Call], deadline: float) -> None:
        """Send the calls as one pipeline; every call ends with an answer or a failure of its own."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._deliver([call for call in calls if not call.answer.done()])
        except (TimeoutError, RedisError, OSError) as error:
            _fail(calls, error)
        finally:
            _fail(calls, Down("redis: pipeline cancelled"))

    async def _deliver(self, calls: list[_Call]) -> None:
        unknown = _settle(calls, await self._exchange(calls, known=True))
        if unknown:
            _settle(unknown, await self._exchange(unknown, known=False))

    async def _exchange(self, calls: list[_Call], *, known: bool) -> list[Any]:
        """Make one round trip; without `scripts_loaded` (restart, new master) scripts are sent in full."""
        pool = self._client.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(_packed(calls, known=known), check_health=False)
            return [await _answer(connection) for _ in calls]
        except BaseException:
            # Answers still outstanding must not be read by the connection's next user.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)


class Direct:
    """Script client of a Redis Cluster: each call goes unpipelined to the node that holds its keys."""

    def __init__(self, client: RedisCluster, budget_seconds: float = 0.1) -> None:
        self._client = client
        self._budget = budget_seconds

    async def call(self, script: Script, *words: Word) -> Any:
        """Implement `ScriptClient.run_script`."""
        return await self._bounded(self._run(script, *words), self._budget)

    async def load(self, *scripts: Script) -> None:
        """Implement `ScriptClient.load_scripts`, with ten times the budget: it discovers the nodes first."""
        for script in scripts:
            await self._bounded(self._client.script_load(script.source), 10 * self._budget)

    async def aclose(self) -> None:
        """Implement `ScriptClient.aclose`."""
        await self._client.aclose()

    async def _run(self, script: Script, *words: Word) -> Any:
        try:
            return await self._client.execute_command("EVALSHA", script.sha, script.keys, *words)
        except NoScriptError:
            return await self._client.execute_command("EVAL", script.source, script.keys, *words)

    async def _bounded(self, work: Awaitable[Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await work
        except (TimeoutError, RedisError, OSError) as error:
            raise failure(error) from error


def _packed(calls: list[_Call], *, known: bool) -> bytes:
    """Pack all commands with hiredis: redis-py's own asyncio packer is most of a turn's cost."""
    pieces = []
    for call in calls:
        script = call.script
        head = ("EVALSHA", script.sha) if known else ("EVAL", script.source)
        # The stub of hiredis declares a tuple of one item.
        pieces.append(pack_command((*head, script.keys, *call.words)))  # type: ignore[arg-type]
    return b"".join(pieces)


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def failure(error: Exception) -> Unavailable:
    """Translate a Redis error: no answer in time is Slow; full, gone, read-only or loading is Down."""
    if isinstance(error, Unavailable):
        return type(error)(str(error))
    if isinstance(error, TimeoutError | RedisTimeout):
        return Slow("redis: no answer in time")
    return Down(f"redis: {type(error).__name__}: {str(error)[:80]}")


def _settle(calls: list[_Call], answers: list[Any]) -> list[_Call]:
    """Deliver the answers; return the calls whose script Redis does not have."""
    unknown = []
    for call, answer in zip(calls, answers, strict=True):
        if isinstance(answer, NoScriptError):
            unknown.append(call)
        elif isinstance(answer, Exception):
            _fail([call], answer)
        elif not call.answer.done():
            call.answer.set_result(answer)
    return unknown


def _fail(calls: list[_Call], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            each = failure(error)
            each.__cause__ = error
            call.answer.set_exception(each)
