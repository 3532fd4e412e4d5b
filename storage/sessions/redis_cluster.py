"""Script client of a Redis Cluster: calls share a round trip by node; nodes are found meanwhile."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from hiredis import ReplyError
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import AbstractConnection

from flows.domain.failures import Down
from flows.domain.single_flight import SingleFlight
from storage.sessions.command_pipeline import CommandPipeline
from storage.sessions.pipelining import load_on_pipelines, run_on_pipeline
from storage.sessions.redis_errors import CALL_ERRORS, translate_error
from storage.sessions.script_client import Script, ScriptArgument

DISCOVERY_SECONDS = 5.0
"""Time limit of one search for the cluster's nodes, which goes on when its callers give up."""
_REDIRECTIONS = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")
"""First words of the answers of a node that did not run the call: the slot is elsewhere, or not served now."""


class ClusterScripts:
    """Script client of a Redis Cluster: calls of one event-loop iteration to one node share a round trip.

    A call that a node redirects was not run there; it goes once more by redis-py's cluster client, which
    follows the redirection and corrects its map of the slots. `hosts` are asked for the cluster's nodes at the
    start and after failures, beside the nodes known so far: a node that is gone or silent, the first of the
    URL included, never keeps the others from use.
    """

    def __init__(
        self, client: RedisCluster, budget_seconds: float = 0.1, hosts: Sequence[tuple[str, int]] = ()
    ) -> None:
        self._client = client
        self._budget_seconds = budget_seconds
        self._hosts = list(hosts)
        self._pipelines: dict[str, CommandPipeline] = {}
        self._discovery: SingleFlight[str, None] = SingleFlight()
        self._is_discovered = self._is_closed = False

    async def run_script(self, script: Script, *words: ScriptArgument) -> Any:
        """Implement `ScriptClient.run_script`."""
        expires_at = asyncio.get_running_loop().time() + self._budget_seconds
        try:
            if not self._is_discovered:
                await self._wait_for_nodes(expires_at)
            pipeline = self._pipeline_of(self._client.get_node_from_key(str(words[0])))
            return await run_on_pipeline(pipeline, script, words, expires_at)
        except ReplyError as error:
            return await self._follow_redirection(error, script, words, expires_at)
        except CALL_ERRORS as error:
            raise self._as_failure(error) from error

    async def load_scripts(self, *scripts: Script) -> None:
        """Implement `ScriptClient.load_scripts`, with ten times the budget: it discovers the nodes first."""
        expires_at = asyncio.get_running_loop().time() + 10 * self._budget_seconds
        try:
            await self._wait_for_nodes(expires_at)
            pipelines = [self._pipeline_of(node) for node in self._client.get_primaries()]
            await load_on_pipelines(pipelines, scripts, expires_at)
        except CALL_ERRORS as error:
            raise self._as_failure(error) from error

    async def aclose(self) -> None:
        """Implement `ScriptClient.aclose`."""
        self._is_closed = True
        await self._discovery.close()
        await self._close_pipelines(list(self._pipelines))
        await self._client.aclose()

    def _pipeline_of(self, node: ClusterNode | None) -> CommandPipeline:
        """Return the pipeline to a node, whose name is its address; Down after `aclose`."""
        if self._is_closed:
            raise Down("closed")
        assert node is not None  # noqa: S101  # only a replica may be missing
        known = self._pipelines.get(node.name)
        if known is None:
            known = self._pipelines[node.name] = CommandPipeline(lambda: _build_connection(node))
        return known

    async def _follow_redirection(
        self, error: ReplyError, script: Script, words: Sequence[ScriptArgument], expires_at: float
    ) -> Any:
        """Run a redirected call by the cluster client; raise any other error answer as a failure."""
        if not str(error).startswith(_REDIRECTIONS):
            raise self._as_failure(error) from error
        call = self._client.execute_command("EVAL", script.source, script.key_count, *words)
        try:
            return await _await_until(call, expires_at)
        except CALL_ERRORS as failed:
            raise self._as_failure(failed) from failed

    def _as_failure(self, error: Exception) -> Exception:
        """Translate an error; the cluster may have changed, so look at it anew."""
        if not self._is_closed:
            self._start_discovery()
        return translate_error(error)

    async def _wait_for_nodes(self, expires_at: float) -> None:
        """Wait for the search under way, which a caller that gives up does not end."""
        await _await_until(asyncio.shield(self._start_discovery()), expires_at)

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
        known = {node.name for node in self._client.get_nodes()}
        await self._close_pipelines([name for name in self._pipelines if name not in known])

    async def _close_pipelines(self, names: Sequence[str]) -> None:
        for pipeline in [self._pipelines.pop(name) for name in names]:
            await pipeline.aclose()


def _build_connection(node: ClusterNode) -> AbstractConnection:
    return node.connection_class(**node.connection_kwargs)


async def _await_until(work: Awaitable[Any], expires_at: float) -> Any:
    async with asyncio.timeout_at(expires_at):
        return await work
