"""Windowed counters: the same in memory and in Redis, shared by processes, never reset by an outage."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from cachetools import LRUCache
from redis.asyncio import from_url

from flows.domain.ports import Counters
from storage.sessions.connect import build_script_client
from storage.sessions.counters import FallbackCounters, MemoryCounters, RedisCounters
from storage.sessions.script_client import ScriptClient
from tests.support.databases import SECRET
from tests.support.server_processes import RedisServer, poll_until, run_server

STORES = ("memory", pytest.param("redis", marks=pytest.mark.redis))
WINDOW = 60.0


class SteppedSeconds:
    """Monotonic seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=STORES)
async def tallies(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters(time.monotonic)
        return
    caller = build_script_client(request.getfixturevalue("redis_url"), 5.0)
    yield RedisCounters(caller, SECRET)
    await caller.aclose()


async def test_keys_are_counted_separately(tallies: Counters) -> None:
    who = uuid.uuid4().hex
    assert [await tallies.count_event("help", who, WINDOW) for _ in range(3)] == [1, 2, 3]
    assert await tallies.count_event("replies", who, WINDOW) == 1
    assert await tallies.count_event("help", f"{who}x", WINDOW) == 1


async def test_concurrent_counts_are_all_counted(tallies: Counters) -> None:
    who = uuid.uuid4().hex
    counts = await asyncio.gather(*(tallies.count_event("help", who, WINDOW) for _ in range(64)))
    assert sorted(counts) == list(range(1, 65))


async def test_a_window_ends_and_the_count_begins_anew(tallies: Counters) -> None:
    who = uuid.uuid4().hex
    await tallies.count_event("help", who, 0.05)

    async def fresh() -> bool:
        return await tallies.count_event("help", who, 0.05) == 1

    await poll_until(fresh)


async def test_counting_does_not_extend_the_window() -> None:
    clock = SteppedSeconds()
    tallies = MemoryCounters(clock)
    for _ in range(6):
        count = await tallies.count_event("help", "x", WINDOW)
        clock.now += 10.5
    assert count == 6 and await tallies.count_event("help", "x", WINDOW) == 1


def redis_counters(caller: ScriptClient) -> FallbackCounters:
    """Count as a process with Redis does."""
    return FallbackCounters(RedisCounters(caller, SECRET), MemoryCounters(time.monotonic), time.monotonic)


@pytest.mark.redis
async def test_two_processes_share_counts_and_redis_holds_no_number(redis_url: str) -> None:
    who, callers = (
        f"+4074{uuid.uuid4().int % 10**7:07}",
        [build_script_client(redis_url, 5.0) for _ in range(2)],
    )
    both = [
        FallbackCounters(RedisCounters(each, SECRET), MemoryCounters(time.monotonic), time.monotonic)
        for each in callers
    ]
    assert [await both[turn % 2].count_event("help", who, WINDOW) for turn in range(6)] == [1, 2, 3, 4, 5, 6]
    client = from_url(redis_url)
    assert not [key async for key in client.scan_iter(f"*{who[1:]}*")]
    await client.aclose()
    for each in callers:
        await each.aclose()


@pytest.mark.redis
async def test_without_redis_each_process_continues_from_its_counts() -> None:
    with run_server(RedisServer) as server:
        caller = build_script_client(server.url, 5.0)
        tallies = redis_counters(caller)
        assert [await tallies.count_event("help", "x", WINDOW) for _ in range(3)] == [1, 2, 3]
        server.kill()
        assert [await tallies.count_event("help", "x", WINDOW) for _ in range(5)] == [4, 5, 6, 7, 8]
        await caller.aclose()


async def test_the_counter_left_alone_longest_makes_room_for_a_new_one() -> None:
    counters = MemoryCounters(lambda: 0.0, LRUCache(2))
    for who in ("old", "busy", "busy", "old", "busy", "new"):
        await counters.count_event("any", who, 60)
    assert await counters.count_event("any", "busy", 60) == 4
    assert await counters.count_event("any", "old", 60) == 1
