"""Pipelines to the nodes of a Redis Cluster: one connection a node, redirections followed, nodes replaced."""

import asyncio

import pytest
from redis.crc import key_slot

from flows.domain.failures import Unavailable
from storage.sessions.connect import build_script_client
from storage.sessions.script_client import Script, ScriptClient
from tests.storage.sessions.test_redis_servers import cluster
from tests.support.redis_cluster import cluster_url, run_on_node
from tests.support.server_processes import RedisServer, poll_until

pytestmark = pytest.mark.redis
__all__ = ["cluster"]
COUNT = Script("return redis.call('INCR', KEYS[1])", key_count=1)


async def count_connections(node: RedisServer) -> int:
    return (await run_on_node(node, "CLIENT", "LIST", "TYPE", "normal")).count("cmd=evalsha")


async def count_all(scripts: ScriptClient, keys: list[str]) -> list[int]:
    return list(await asyncio.gather(*(scripts.run_script(COUNT, key) for key in keys)))


async def node_id(node: RedisServer) -> str:
    return await run_text(node, "CLUSTER", "MYID")


async def run_text(node: RedisServer, *words: str | int) -> str:
    return (await run_on_node(node, *words)).removeprefix("b'").removesuffix("'")


def owner_of(nodes: list[RedisServer], key: str) -> int:
    """Return the place of the node that holds a key at the beginning."""
    return next(place for place in (2, 1, 0) if key_slot(key.encode()) >= place * 16384 // 3)


async def announce_move(nodes: list[RedisServer], key: str) -> tuple[RedisServer, RedisServer]:
    """Begin to move a key's slot; return the node that has it and the one that takes it."""
    here = owner_of(nodes, key)
    source, target = nodes[here], nodes[(here + 1) % 3]
    slot = key_slot(key.encode())
    await run_on_node(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", await node_id(source))
    await run_on_node(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", await node_id(target))
    await run_on_node(source, "MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    return source, target


async def finish_move(key: str, source: RedisServer, target: RedisServer) -> None:
    for node in (target, source):
        await run_on_node(node, "CLUSTER", "SETSLOT", key_slot(key.encode()), "NODE", await node_id(target))


async def test_calls_of_one_loop_iteration_take_one_connection_to_each_node(cluster: list[RedisServer]) -> None:
    scripts = build_script_client(cluster_url(cluster), 5.0)
    await scripts.load_scripts(COUNT)
    keys = [f"k{number}" for number in range(300)]
    assert await count_all(scripts, keys) == [1] * 300
    assert await count_all(scripts, keys) == [2] * 300
    assert [await count_connections(node) for node in cluster] == [1, 1, 1]
    await scripts.aclose()


async def test_a_slot_that_moves_loses_and_doubles_no_call(cluster: list[RedisServer]) -> None:
    scripts = build_script_client(cluster_url(cluster), 5.0)
    keys = ["moved", *(f"k{number}" for number in range(30))]
    assert await count_all(scripts, keys) == [1] * 31
    source, target = await announce_move(cluster, "moved")
    assert await count_all(scripts, keys) == [2] * 31  # ASK
    await finish_move("moved", source, target)
    assert await count_all(scripts, keys) == [3] * 31  # MOVED
    await run_on_node(source, "CONFIG", "RESETSTAT")
    assert await count_all(scripts, keys) == [4] * 31
    assert "MOVED" not in await run_on_node(source, "INFO", "errorstats")  # the map of slots was corrected
    await scripts.aclose()


async def test_a_script_a_node_does_not_have_is_sent_again(cluster: list[RedisServer]) -> None:
    scripts = build_script_client(cluster_url(cluster), 5.0)
    keys = [f"k{number}" for number in range(30)]
    assert await count_all(scripts, keys) == [1] * 30
    for node in cluster:
        await run_on_node(node, "SCRIPT", "FLUSH")
    assert await count_all(scripts, keys) == [2] * 30
    await scripts.aclose()


async def test_a_node_that_comes_back_is_called_again(cluster: list[RedisServer]) -> None:
    scripts = build_script_client(cluster_url(cluster), 1.0)
    key = next(f"k{number}" for number in range(99) if owner_of(cluster, f"k{number}") == 2)
    assert await scripts.run_script(COUNT, key) == 1
    cluster[2].kill()
    with pytest.raises(Unavailable):
        await scripts.run_script(COUNT, key)
    await asyncio.to_thread(cluster[2].start)

    async def is_back() -> bool:
        try:
            return int(await scripts.run_script(COUNT, key)) > 0
        except Unavailable:
            return False

    await poll_until(is_back, 30)
    await scripts.aclose()


async def test_closing_leaves_no_connection(cluster: list[RedisServer]) -> None:
    scripts = build_script_client(cluster_url(cluster), 5.0)
    await scripts.load_scripts(COUNT)
    await count_all(scripts, [f"k{number}" for number in range(60)])
    await scripts.aclose()
    for node in cluster:
        await poll_until(lambda node=node: has_no_connection(node))  # type: ignore[misc]


async def has_no_connection(node: RedisServer) -> bool:
    return not await count_connections(node)
