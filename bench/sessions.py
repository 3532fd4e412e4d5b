"""Session store benchmark: open and save against a plain GET and SET, interleaved, as ratios.

Run: python -m bench.sessions [rounds]. CPU of this process only; Redis runs beside it.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis as Client

from flows.domain.ports import SessionKey, Sessions
from storage.sessions.connect import connect
from storage.sessions.leaky_bucket import Rate
from storage.sessions.memory_store import MemorySessions
from tests.services import Redis, serving
from tests.test_sessions_redis import REPLY, SESSION

CALLERS = 32
STEPS = 60
Step = Callable[[SessionKey, str], Awaitable[None]]


def ours(sessions: Sessions, session: bytes, reply: bytes) -> Step:
    async def step(key: SessionKey, hop: str) -> None:
        opened = await sessions.open(key, hop)
        assert await sessions.save(key, opened, hop, session, reply)

    return step


def plain(client: Client) -> Step:
    async def step(key: SessionKey, hop: str) -> None:
        await client.get(key.name)
        await client.set(key.name, SESSION + REPLY, px=180_000)

    return step


async def cpu(step: Step, sitting: int) -> float:
    """Return the CPU microseconds of a step, with 32 concurrent callers."""

    async def caller(number: int) -> None:
        key = SessionKey(f"{number:022}", f"{number:022}")
        for hop in range(STEPS):
            await step(key, f"{sitting}.{hop}")

    began = time.process_time()
    await asyncio.gather(*map(caller, range(CALLERS)))
    return (time.process_time() - began) / (CALLERS * STEPS) * 1e6


async def measure(url: str, rounds: int) -> None:
    limit = Rate(1_000_000, 1)
    redis = connect(url, limit=limit, budget_seconds=5.0)
    memory = MemorySessions(time.monotonic, limit=limit)
    async with Client.from_url(url) as client:
        steps = {
            "redis-py GET then SET": plain(client),
            "open and save, coalesced": ours(redis, SESSION, REPLY),
            "... short enough not to compress": ours(redis, SESSION[:100], REPLY[:100]),
            "open and save in memory": ours(memory, SESSION, REPLY),
        }
        await redis.ready()
        seen: dict[str, list[float]] = {name: [] for name in steps}
        for sitting in range(rounds):
            for name, step in steps.items():
                seen[name].append(await cpu(step, sitting))
    await redis.aclose()
    show({name: statistics.median(times[1:] or times) for name, times in seen.items()})


def show(costs: dict[str, float]) -> None:
    base = next(iter(costs.values()))
    for name, cost in costs.items():
        print(f"{name:34} {cost / base:6.3f} of GET+SET   ({cost:.0f} us here, today)")


if __name__ == "__main__":
    with serving(Redis) as server:
        asyncio.run(measure(server.url, int(sys.argv[1]) if len(sys.argv) > 1 else 9))
