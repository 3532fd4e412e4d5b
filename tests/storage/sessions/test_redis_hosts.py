"""Redis hosts that are gone or silent: every host of the URL is asked, and memory serves meanwhile."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from flows.domain.failures import Unavailable
from flows.domain.ports import SessionKey
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory_store import MemorySessions
from storage.sessions.redis_store import RedisSessions
from tests.storage.sessions.test_contract import take_turn
from tests.storage.sessions.test_redis_servers import FailoverSentinel, cluster, random_key
from tests.support.free_ports import free_port
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import RedisServer, poll_until, run_server

pytestmark = pytest.mark.redis
__all__ = ["cluster"]


@asynccontextmanager
async def silent_host() -> AsyncIterator[int]:
    """Accept connections on a port and never answer, as a machine that lost its power behind a firewall."""
    connections: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for each in connections:
        each.close()


async def is_served(sessions: RedisSessions) -> bool:
    try:
        return (await sessions.open(random_key(), "1")).status == "new"
    except Unavailable:
        return False


def guard_with_memory(sessions: RedisSessions) -> FallbackSessions:
    return FallbackSessions(sessions, MemorySessions(time.monotonic), time.monotonic)


def dead_urls() -> list[str]:
    one, two = free_port(), free_port()
    return [f"redis+{kind}://127.0.0.1:{one},127.0.0.1:{two}/bills" for kind in ("cluster", "sentinel")]


@pytest.mark.parametrize("url", dead_urls(), ids=["cluster", "sentinel"])
async def test_no_host_answers_and_memory_serves_from_the_start(url: str) -> None:
    sessions = build_redis_sessions(url)
    with pytest.raises(Unavailable):
        await sessions.load_scripts()
    guarded = guard_with_memory(sessions)
    for _ in range(8):
        await take_turn(guarded, random_key(), "1")
    assert guarded.is_degraded
    await sessions.aclose()


async def test_a_cluster_that_dies_leaves_its_callers_to_memory(cluster: list[RedisServer]) -> None:
    sessions = build_redis_sessions(f"redis+cluster://127.0.0.1:{cluster[0].port}")
    guarded = guard_with_memory(sessions)
    await poll_until(lambda: is_served(sessions))
    for node in cluster:
        node.kill()
    for _ in range(8):
        await take_turn(guarded, random_key(), "1")
    assert guarded.is_degraded
    await sessions.aclose()


async def test_a_cluster_is_used_when_hosts_of_the_url_are_gone_or_silent(
    cluster: list[RedisServer],
) -> None:
    async with silent_host() as silent:
        ports = (free_port(), silent, free_port(), cluster[2].port)
        sessions = build_redis_sessions("redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports))
        await poll_until(lambda: is_served(sessions))
        for _ in range(20):
            await take_turn(sessions, random_key(), "1")
        await sessions.aclose()


async def test_a_silent_node_fails_its_own_slots_only(cluster: list[RedisServer]) -> None:
    sessions = build_redis_sessions("redis+cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in cluster))
    await poll_until(lambda: is_served(sessions))
    cluster[1].pause()
    try:
        served = [await is_served(sessions) for _ in range(30)]
    finally:
        cluster[1].resume()
    assert 8 < sum(served) < 30
    await poll_until(lambda: is_served(sessions))
    await sessions.aclose()


@pytest.mark.parametrize("place", [0, 1])
async def test_a_silent_sentinel_is_passed_over_wherever_it_stands(place: int) -> None:
    with ExitStack() as servers:
        master = servers.enter_context(run_server(RedisServer))
        sentinel = servers.enter_context(run_server(FailoverSentinel, str(master.port)))
        async with silent_host() as silent:
            hosts = [f"127.0.0.1:{sentinel.port}"]
            hosts[place:place] = [f"127.0.0.1:{silent}"]
            sessions = build_redis_sessions(f"redis+sentinel://{','.join(hosts)}/bills")
            await sessions.load_scripts()
            for _ in range(3):
                await take_turn(sessions, SessionKey(uuid.uuid4().hex, "a"), "1")
            await sessions.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:ab/cd3f@host:6379/0",
        "redis://:ab#cd3f@host",
        "redis://:ab?cd3f@host",
        "redis+cluster://:cd3f@host:port",
        "redis+sentinel://:cd3f@host/bills/first",
        "redis+sentinel://:cd3f@host",
        "redis://:cd3f@host?tiemout=3",
        "redis://:cd3f@host?ssl_ca_certs=file",
        "rediss+cluster://:cd3f@host?db=1",
        "rediss://:cd3f@[host",
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        build_redis_sessions(url)
    assert "cd3f" not in str(caught.value)
    assert caught.value.__cause__ is None and (
        caught.value.__suppress_context__ or not caught.value.__context__
    )
