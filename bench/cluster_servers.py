"""Servers of the cluster benchmark: two operators on divided stores, and the same two on one of each."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.outbox import children_cpu_seconds
from bench.servers import ROOT, GatewayPlace, ProcessAndPort, cpu_seconds, run_gateway, run_server_process
from tests.support.redis_cluster import cluster_url, run_cluster, run_on_node
from tests.support.server_processes import PostgresServer, RedisServer, run_server

OPERATORS = ("operator-0", "operator-1")
DATABASE_NAME = "bench"
COUNT_OPERATORS = "SELECT operator FROM audit GROUP BY operator ORDER BY operator"


@dataclass(frozen=True)
class Deployment:
    """Processes that serve the operators."""

    gateways: Sequence[ProcessAndPort]
    """One for each operator, or one for both."""
    redis: Sequence[RedisServer]
    databases: Sequence[PostgresServer]
    """One for each operator, or one for both."""
    numbers: Iterator[int] = field(default_factory=itertools.count)
    """Numbers of journeys: each is walked once."""

    def port_of(self, operator: str) -> int:
        """Return the port that serves an operator."""
        return self.gateways[OPERATORS.index(operator) % len(self.gateways)][1]

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time spent so far, by kind of process."""
        nodes = [node.child.pid for node in self.redis if node.child]
        servers = [server.child.pid for server in self.databases if server.child]
        return {
            "gateway": sum(cpu_seconds(pid) for pid, _ in self.gateways),
            "Redis": sum(cpu_seconds(pid) for pid in nodes),
            "PostgreSQL": sum(children_cpu_seconds(pid) for pid in servers),
        }

    async def find_audited_operators(self) -> list[list[str]]:
        """Return, for each PostgreSQL, the operators whose subscribers read something there."""
        return [await _find_operators(server.url_of(DATABASE_NAME)) for server in self.databases]

    async def count_keys(self) -> list[int]:
        """Return how many keys each Redis node holds."""
        return [int(await run_on_node(node, "DBSIZE")) for node in self.redis]


async def _find_operators(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row["operator"] for row in await connection.fetch(COUNT_OPERATORS)]
    finally:
        await connection.close()


@asynccontextmanager
async def run_divided(packs: Path, folder: Path) -> AsyncIterator[Deployment]:
    """Run a Redis Cluster of three nodes, and for each operator a PostgreSQL and a gateway process."""
    async with run_cluster() as nodes:
        with ExitStack() as stack:
            databases = [stack.enter_context(run_server(PostgresServer)) for _ in OPERATORS]
            gateways = [
                stack.enter_context(_run_gateway([operator], database, cluster_url(nodes), packs, folder))
                for operator, database in zip(OPERATORS, databases, strict=True)
            ]
            yield Deployment(gateways, nodes, databases)


@asynccontextmanager
async def run_single(packs: Path, folder: Path) -> AsyncIterator[Deployment]:
    """Run one Redis, one PostgreSQL and one gateway process for both operators."""
    with run_server(RedisServer) as redis, run_server(PostgresServer) as database:
        with _run_gateway(OPERATORS, database, redis.url, packs, folder) as gateway:
            yield Deployment([gateway], [redis], [database])


def _run_gateway(
    operators: Sequence[str], database: PostgresServer, redis_url: str, packs: Path, folder: Path
) -> AbstractContextManager[ProcessAndPort]:
    """Run a gateway process on the first core; its log is read at the end."""
    url = database.create_database(DATABASE_NAME)
    command = [sys.executable, "-m", "bench.cluster_servers", ",".join(operators), url, redis_url, str(packs)]
    log = folder / f"{database.port}.log"
    return run_server_process(command, 0, ROOT, log)


if __name__ == "__main__":
    served, database_url, redis_url, packs_folder = sys.argv[1:]
    place = GatewayPlace(database_url, redis_url, tuple(served.split(",")), packs_folder)
    asyncio.run(run_gateway(place, 0))
