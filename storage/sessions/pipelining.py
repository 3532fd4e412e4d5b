"""Redis script client with automatic pipelining: calls of one event-loop iteration share a round trip."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

from flows.domain.call_coalescer import CallCoalescer
from storage.sessions.redis_errors import REDIS_ERRORS, translate_error
from storage.sessions.script_client import Script, ScriptArgument


@dataclass(slots=True)
class _PendingCall:
    script: Script
    arguments: tuple[ScriptArgument, ...]
    made_at: float
    """Event-loop time of the call."""


class PipelinedScripts:
    """Script client of one Redis (or a Sentinel's current master) that pipelines concurrent calls.

    A call waits `budget_seconds` at most, counted from the oldest call of its pipeline. At most
    `max_pipelines` are under way at once; calls made meanwhile join the next one: under load two make
    it larger than four do, and a turn a fifth cheaper. A cancelled caller does not affect the others.
    The `sentinels` are closed with the client.
    """

    def __init__(
        self,
        client: Redis,
        budget_seconds: float = 0.1,
        max_pipelines: int = 2,
        sentinels: Sequence[Redis] = (),
    ) -> None:
        self._client = client
        self._sentinels = sentinels
        self._budget_seconds = budget_seconds
        self._calls: CallCoalescer[_PendingCall, Any] = CallCoalescer(
            self._run_pipeline, max_running=max_pipelines
        )

    async def run_script(self, script: Script, *words: ScriptArgument) -> Any:
        """Implement `ScriptClient.run_script`."""
        return await self._calls.submit(_PendingCall(script, words, asyncio.get_running_loop().time()))

    async def load_scripts(self, *scripts: Script) -> None:
        """Implement `ScriptClient.load_scripts`, with ten times the budget: it may have to connect first."""
        try:
            async with asyncio.timeout(10 * self._budget_seconds):
                for script in scripts:
                    await self._client.script_load(script.source)
        except REDIS_ERRORS as error:
            raise translate_error(error) from error

    async def aclose(self) -> None:
        """Implement `ScriptClient.aclose`."""
        await self._calls.abort()
        for client in (self._client, *self._sentinels):
            await client.aclose()

    async def _run_pipeline(self, calls: Sequence[_PendingCall]) -> Sequence[Any]:
        """Send the calls as one pipeline; return each one's answer, or its failure."""
        try:
            async with asyncio.timeout_at(calls[0].made_at + self._budget_seconds):
                return await self._send_calls(calls)
        except REDIS_ERRORS as error:
            return [_as_failure(error) for _ in calls]

    async def _send_calls(self, calls: Sequence[_PendingCall]) -> Sequence[Any]:
        """Send the calls, and once more with their source those whose script Redis does not have."""
        answers = await self._round_trip(calls, scripts_loaded=True)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            repeated = await self._round_trip([calls[place] for place in unknown], scripts_loaded=False)
            for place, answer in zip(unknown, repeated, strict=True):
                answers[place] = answer
        return [_as_failure(answer) if isinstance(answer, Exception) else answer for answer in answers]

    async def _round_trip(self, calls: Sequence[_PendingCall], *, scripts_loaded: bool) -> list[Any]:
        """Make one round trip; without `scripts_loaded` (restart, new master) scripts are sent in full."""
        pool = self._client.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(
                _pack_commands(calls, scripts_loaded=scripts_loaded), check_health=False
            )
            return [await _read_answer(connection) for _ in calls]
        except BaseException:
            # Answers still outstanding must not be read by the connection's next user.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)


def _pack_commands(calls: Sequence[_PendingCall], *, scripts_loaded: bool) -> bytes:
    """Pack all commands with hiredis: redis-py's own asyncio packer is most of a turn's cost."""
    pieces = []
    for call in calls:
        script = call.script
        head = ("EVALSHA", script.sha1) if scripts_loaded else ("EVAL", script.source)
        # The stub of hiredis declares a tuple of one item.
        pieces.append(pack_command((*head, script.key_count, *call.arguments)))  # type: ignore[arg-type]
    return b"".join(pieces)


async def _read_answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _as_failure(error: Exception) -> Exception:
    """Translate an error for one caller: each gets an exception of its own."""
    failure = translate_error(error)
    failure.__cause__ = error
    return failure
