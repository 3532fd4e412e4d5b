"""Script client of a Redis Cluster: nodes are found in the background, from every host of the URL."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError

from flows.domain.single_flight import SingleFlight
from storage.sessions.redis_errors import REDIS_ERRORS, translate_error
from storage.sessions.script_client import Script, ScriptArgument

DISCOVERY_SECONDS = 5.0
"""Time limit of one search for the cluster's nodes, which goes on when its callers give up."""


class ClusterScripts:
    """Script client of a Redis Cluster: each call goes unpipelined to the node that holds its keys.

    `hosts` are asked for the cluster's nodes at the start and after failures, beside the nodes known so
    far: a node that is gone or silent, the first of the URL included, never keeps the others from use.
    """

    def __init__(
        self, client: RedisCluster, budget_seconds: float = 0.1, hosts: Sequence[tuple[str, int]] = ()
    ) -> None:
        self._client = client
        self._budget_seconds = budget_seconds
        self._hosts = list(hosts)
        self._discovery: SingleFlight[str, None] = SingleFlight()
        self._is_discovered = False

    async def run_script(self, script: Script, *words: ScriptArgument) -> Any:
        """Implement `ScriptClient.run_script`."""
        return await self._run_within(self._evaluate(script, *words), self._budget_seconds)

    async def load_scripts(self, *scripts: Script) -> None:
        """Implement `ScriptClient.load_scripts`, with ten times the budget: it discovers the nodes first."""
        await self._run_within(self._load_scripts(scripts), 10 * self._budget_seconds)

    async def aclose(self) -> None:
        """Implement `ScriptClient.aclose`."""
        await self._discovery.close()
        await self._client.aclose()

    async def _load_scripts(self, scripts: Sequence[Script]) -> None:
        await self._wait_for_nodes()
        for script in scripts:
            await self._client.script_load(script.source)

    async def _evaluate(self, script: Script, *words: ScriptArgument) -> Any:
        if not self._is_discovered:
            await self._wait_for_nodes()
        try:
            return await self._client.execute_command("EVALSHA", script.sha1, script.key_count, *words)
        except NoScriptError:
            return await self._client.execute_command("EVAL", script.source, script.key_count, *words)

    async def _run_within(self, work: Awaitable[Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await work
        except REDIS_ERRORS as error:
            self._start_discovery()
            raise translate_error(error) from error

    async def _wait_for_nodes(self) -> None:
        """Wait for the search under way, which a caller that gives up does not end."""
        await asyncio.shield(self._start_discovery())

    def _start_discovery(self) -> asyncio.Task[None]:
        """Return the search under way; start one when there is none."""
        return self._discovery.start("nodes", self._discover_nodes)

    async def _discover_nodes(self) -> None:
        """Ask known nodes and the URL's hosts for the slots; a second search also replaces a stale map."""
        async with asyncio.timeout(DISCOVERY_SECONDS):
            if self._is_discovered:
                await self._client.nodes_manager.initialize(additional_startup_nodes_info=self._hosts)
            await self._client.initialize(additional_startup_nodes_info=self._hosts)
        self._is_discovered = True
