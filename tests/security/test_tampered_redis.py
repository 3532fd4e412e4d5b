"""Tampered values in Redis: whatever they are, no script fails and every caller is served (T33)."""

import random

import pytest
from redis.asyncio import Redis as Client

from flows.domain.ports import SessionKey
from storage.sessions.connect import build_script_client
from storage.sessions.counters import RedisCounters
from storage.sessions.leaky_bucket import TurnRateLimit
from tests.support.databases import SECRET
from tests.support.redis_sessions import build_redis_sessions

VALUES = (b"", b"nan", b"-nan", b"inf", b"1e400", b"0x10", b"-1", b"9223372036854775807", b"abc", b"\x00")
BODY_HEADS = (b"\xd0", b"\xd1" + b"\xff" * 11, b"\xd1" + b"\x00" * 17, b"\xd2\x00", b"\xd1" + b"\xff" * 18)


@pytest.mark.redis
@pytest.mark.parametrize("life", [60_000, None])
async def test_T33_no_value_in_redis_makes_a_script_fail(redis_url: str, life: int | None) -> None:
    """A failing script would look like a Redis outage to everybody; with and without an expiry."""
    dice, key = random.Random(33), SessionKey("tag", "a")
    chance = [dice.choice(BODY_HEADS) + dice.randbytes(dice.randrange(60)) for _ in range(200)]
    sessions = build_redis_sessions(
        redis_url, rate_limit=TurnRateLimit(50, 10), wait_seconds=0.05, budget_seconds=5.0
    )
    caller = build_script_client(redis_url, 5.0)
    async with Client.from_url(redis_url) as client:
        for value in (*VALUES, *BODY_HEADS, *chance):
            await RedisCounters(caller, SECRET).count_event("what", "who", 60)
            for name in ["{tag}a", "{tag}", *[each async for each in client.scan_iter("tally:*")]]:
                await client.set(name, value, px=life)
            await sessions.release(key, await sessions.open(key, "1"))
            assert await RedisCounters(caller, SECRET).count_event("what", "who", 60) is not None
            await client.flushdb()
    await sessions.aclose()
    await caller.aclose()
