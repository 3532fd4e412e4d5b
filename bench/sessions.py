"""Session store benchmark: open and save against a plain GET and SET, interleaved, as ratios.

Run: python -m bench.sessions [rounds]. CPU of this process only; Redis runs beside it.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis as Client

from flows.domain.ports import SessionKey, SessionStore
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.memory_store import MemorySessions
from tests.storage.sessions.test_redis_store import REPLY, SESSION
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import RedisServer, run_server

CALLER_COUNT = 32
STEP_COUNT = 60
SessionStep = Callable[[SessionKey, str], Awaitable[None]]


def gateway_step(sessions: SessionStore, session: bytes, reply: bytes) -> SessionStep:
    async def step(key: SessionKey, hop: str) -> None:
        opened = await sessions.open(key, hop)
        assert await sessions.save(key, opened, hop, session, reply)

    return step


def plain_redis_step(client: Client) -> SessionStep:
    async def step(key: SessionKey, hop: str) -> None:
        await client.get(key.session_hash)
        await client.set(key.session_hash, SESSION + REPLY, px=180_000)

    return step


async def cpu_per_step(step: SessionStep, sitting: int) -> float:
    """Return the CPU microseconds of a step, with 32 concurrent callers."""

    async def caller(number: int) -> None:
        key = SessionKey(f"{number:022}", f"{number:022}")
        for hop in range(STEP_COUNT):
            await step(key, f"{sitting}.{hop}")

    began = time.process_time()
    await asyncio.gather(*map(caller, range(CALLER_COUNT)))
    return (time.process_time() - began) / (CALLER_COUNT * STEP_COUNT) * 1e6


async def measure_steps(url: str, rounds: int) -> None:
    limit = TurnRateLimit(1_000_000, 1)
    redis = build_redis_sessions(url, rate_limit=limit, budget_seconds=5.0)
    memory = MemorySessions(time.monotonic, rate_limit=limit)
    async with Client.from_url(url) as client:
        steps = {
            "redis-py GET then SET": plain_redis_step(client),
            "open and save, coalesced": gateway_step(redis, SESSION, REPLY),
            "... short enough not to compress": gateway_step(redis, SESSION[:100], REPLY[:100]),
            "open and save in memory": gateway_step(memory, SESSION, REPLY),
        }
        await redis.load_scripts()
        seen: dict[str, list[float]] = {name: [] for name in steps}
        for sitting in range(rounds):
            for name, step in steps.items():
                seen[name].append(await cpu_per_step(step, sitting))
    await redis.aclose()
    print_costs({name: statistics.median(times[1:] or times) for name, times in seen.items()})


def print_costs(costs: dict[str, float]) -> None:
    base = next(iter(costs.values()))
    for name, cost in costs.items():
        print(f"{name:34} {cost / base:6.3f} of GET+SET   ({cost:.0f} us here, today)")


if __name__ == "__main__":
    with run_server(RedisServer) as server:
        asyncio.run(measure_steps(server.url, int(sys.argv[1]) if len(sys.argv) > 1 else 9))
