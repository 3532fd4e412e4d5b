"""A Redis Cluster of three nodes for tests and benchmarks, as child processes on free loopback ports."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from redis.asyncio import Redis as Client

from tests.support.free_ports import free_port
from tests.support.server_processes import RedisServer, poll_until, run_server

SLOTS = 16384


@asynccontextmanager
async def run_cluster() -> AsyncIterator[list[RedisServer]]:
    """Run three nodes that share the slots; the bus port is chosen: 10,000 above may be taken."""
    with ExitStack() as servers:
        talks = [free_port() for _ in range(3)]
        options = [("--cluster-enabled", "yes", "--cluster-port", str(talk)) for talk in talks]
        nodes = [servers.enter_context(run_server(RedisServer, *each)) for each in options]
        for number, node in enumerate(nodes):
            first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
            await run_on_node(node, "CLUSTER", "ADDSLOTSRANGE", first, last)
            await run_on_node(nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port, talks[number])
        for node in nodes:
            await poll_until(lambda node=node: is_cluster_healthy(node), 30)  # type: ignore[misc]
        yield nodes


def cluster_url(nodes: list[RedisServer]) -> str:
    """Return the URL of a cluster: of its first node, which names the others."""
    return f"redis+cluster://127.0.0.1:{nodes[0].port}"


async def run_on_node(node: RedisServer, *words: str | int) -> str:
    """Run a command on one node and return its answer as text."""
    async with Client.from_url(node.url) as client:
        return str(await client.execute_command(*words))  # type: ignore[no-untyped-call]


async def is_cluster_healthy(node: RedisServer) -> bool:
    """Return whether a node knows the other two and serves its slots."""
    told = await run_on_node(node, "CLUSTER", "INFO")
    return "cluster_state:ok" in told and "cluster_known_nodes:3" in told
