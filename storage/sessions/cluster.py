"""Script calls to a Redis Cluster, each to the node that holds its keys."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisError

from storage.sessions.calls import Script, Word, failure


class Direct:
    """The `Caller` of a cluster: every call goes on its own."""

    def __init__(self, client: RedisCluster, budget_seconds: float = 0.1) -> None:
        self._client = client
        self._budget = budget_seconds

    async def call(self, script: Script, *words: Word) -> Any:
        """As `Caller.call`."""
        return await self._bounded(self._run(script, *words), self._budget)

    async def load(self, *scripts: Script) -> None:
        """As `Caller.load`, with ten times the budget: the nodes have to be found first."""
        for script in scripts:
            await self._bounded(self._client.script_load(script.source), 10 * self._budget)

    async def aclose(self) -> None:
        """As `Caller.aclose`."""
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
