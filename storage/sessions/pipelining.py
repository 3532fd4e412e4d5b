"""Redis script client with automatic pipelining: calls of one event-loop iteration share a round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hiredis import ReplyError, pack_command
from redis.asyncio import Redis

from storage.sessions.command_pipeline import CommandPipeline
from storage.sessions.redis_errors import translate_error
from storage.sessions.script_client import Script, ScriptArgument

_UNKNOWN_SCRIPT = "NOSCRIPT"


class PipelinedScripts:
    """Script client of one Redis (or a Sentinel's current master) that pipelines concurrent calls.

    A call waits `budget_seconds` at most. A cancelled caller does not affect the others. The `sentinels` are
    closed with the client.
    """

    def __init__(self, client: Redis, budget_seconds: float = 0.1, sentinels: Sequence[Redis] = ()) -> None:
        self._client, self._sentinels = client, sentinels
        self._budget_seconds = budget_seconds
        self._pipeline = CommandPipeline(client.connection_pool.make_connection)

    async def run_script(self, script: Script, *words: ScriptArgument) -> Any:
        """Implement `ScriptClient.run_script`."""
        expires_at = asyncio.get_running_loop().time() + self._budget_seconds
        try:
            return await run_on_pipeline(self._pipeline, script, words, expires_at)
        except ReplyError as error:
            raise translate_error(error) from error

    async def load_scripts(self, *scripts: Script) -> None:
        """Implement `ScriptClient.load_scripts`, with ten times the budget: it may have to connect first."""
        expires_at = asyncio.get_running_loop().time() + 10 * self._budget_seconds
        try:
            await load_on_pipelines([self._pipeline], scripts, expires_at)
        except ReplyError as error:
            raise translate_error(error) from error

    async def aclose(self) -> None:
        """Implement `ScriptClient.aclose`."""
        await self._pipeline.aclose()
        for client in (self._client, *self._sentinels):
            await client.aclose()


async def run_on_pipeline(
    pipeline: CommandPipeline, script: Script, words: Sequence[ScriptArgument], expires_at: float
) -> Any:
    """Run a script on one server, and once more with its source where that is unknown (restart, new master).

    Raises as `CommandPipeline.submit` does.
    """
    # The stub of hiredis declares a tuple of one item.
    hashed = pack_command(("EVALSHA", script.sha1, script.key_count, *words))  # type: ignore[arg-type]
    try:
        return await pipeline.submit(hashed, expires_at)
    except ReplyError as error:
        if not str(error).startswith(_UNKNOWN_SCRIPT):
            raise
    sourced = pack_command(("EVAL", script.source, script.key_count, *words))  # type: ignore[arg-type]
    return await pipeline.submit(sourced, expires_at)


async def load_on_pipelines(
    pipelines: Sequence[CommandPipeline], scripts: Sequence[Script], expires_at: float
) -> None:
    """Load scripts on every server; raises as `CommandPipeline.submit` does."""
    packed = [pack_command(("SCRIPT", "LOAD", each.source)) for each in scripts]  # type: ignore[arg-type]
    await asyncio.gather(*(pipeline.submit(each, expires_at) for pipeline in pipelines for each in packed))
