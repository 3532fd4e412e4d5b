"""Session fallback: Redis slow, full, gone, stopped or restarted empty."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from flows.domain.failures import Down, Slow, Unavailable
from flows.domain.ports import OpenedSession, SessionKey
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory_store import MemorySessions
from storage.sessions.redis_store import RedisSessions
from tests.storage.sessions.test_contract import take_turn
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import RedisServer, poll_until, run_server

redis = pytest.mark.redis


class ManualSeconds:
    """Monotonic seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class FailingSessions:
    """A session store that fails on demand, and otherwise keeps sessions in memory."""

    def __init__(self) -> None:
        self.inner = MemorySessions(time.monotonic)
        self.failure: Unavailable | None = None
        self.asked = 0

    def raise_failure(self) -> MemorySessions:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.inner

    def recall(self, key: SessionKey, hop: str) -> None:
        """Recall nothing: sessions of memory are opened."""

    async def open(self, key: SessionKey, hop: str) -> OpenedSession:
        return await self.raise_failure().open(key, hop)

    async def save(
        self,
        key: SessionKey,
        opened: OpenedSession,
        hop: str,
        session: bytes | None,
        reply: bytes,
        *,
        can_resume: bool = False,
    ) -> bool:
        return await self.raise_failure().save(key, opened, hop, session, reply, can_resume=can_resume)

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        await self.raise_failure().release(key, opened)

    async def delete_session(self, key: SessionKey) -> None:
        await self.raise_failure().delete_session(key)

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        await self.raise_failure().acknowledge_reply(key, version)

    async def forget_subscriber(self, tag: str) -> int:
        return await self.raise_failure().forget_subscriber(tag)


@pytest.fixture
def clock() -> ManualSeconds:
    return ManualSeconds()


@pytest.fixture
def failing_sessions() -> FailingSessions:
    return FailingSessions()


@pytest.fixture
def both(failing_sessions: FailingSessions, clock: ManualSeconds) -> FallbackSessions:
    return FallbackSessions(failing_sessions, MemorySessions(clock, max_entries=2), clock)


@pytest.fixture
def key() -> SessionKey:
    return SessionKey(uuid.uuid4().hex[:22], "conversation")


async def test_a_turn_the_primary_does_not_open_is_served_from_memory(
    both: FallbackSessions, failing_sessions: FailingSessions, key: SessionKey
) -> None:
    failing_sessions.failure = Slow()
    await take_turn(both, key, "1")
    assert (await both.open(key, "1")).status == "replay"
    failing_sessions.failure = None
    await take_turn(both, key, "2", None)
    assert ((await both.open(key, "3")).status, len(failing_sessions.inner)) == ("ended", 0)


async def test_a_turn_the_primary_does_not_save_goes_on_in_memory(
    both: FallbackSessions, failing_sessions: FailingSessions, key: SessionKey
) -> None:
    opened = await both.open(key, "1")
    failing_sessions.failure = Down()
    assert await both.save(key, opened, "1", b"moved", b"reply")
    failing_sessions.failure = None
    assert (await both.open(key, "1")).reply == b"reply"
    assert (await both.open(key, "2")).session == b"moved"


async def test_what_memory_opened_memory_saves(
    both: FallbackSessions, failing_sessions: FailingSessions, key: SessionKey
) -> None:
    failing_sessions.failure = Down()
    opened = await both.open(key, "1")
    failing_sessions.failure = None
    assert await both.save(key, opened, "1", b"here", b"reply")
    assert not await both.save(key, opened, "1", b"twice", b"reply")
    assert len(failing_sessions.inner) == 0


async def test_after_three_failures_the_primary_is_left_alone_and_then_tried_once(
    both: FallbackSessions, failing_sessions: FailingSessions, clock: ManualSeconds, key: SessionKey
) -> None:
    failing_sessions.failure = Down()
    for _ in range(9):
        await both.delete_session(key)
    assert (failing_sessions.asked, both.is_degraded) == (3, True)
    clock.seconds += 1
    await asyncio.gather(*(both.delete_session(key) for _ in range(9)))
    assert failing_sessions.asked == 4
    failing_sessions.failure = None
    clock.seconds += 2
    await both.delete_session(key)
    assert not both.is_degraded


async def test_a_refused_save_is_still_refused(both: FallbackSessions, key: SessionKey) -> None:
    opened = await take_turn(both, key, "1")
    assert not await both.save(key, opened, "1", b"", b"")


async def test_released_in_memory_it_may_be_tried_again(
    both: FallbackSessions, failing_sessions: FailingSessions, key: SessionKey
) -> None:
    failing_sessions.failure = Down()
    await both.release(key, await both.open(key, "1"))
    assert (await both.open(key, "1")).status == "new"


async def test_a_full_memory_makes_room_for_who_calls_now(
    both: FallbackSessions, failing_sessions: FailingSessions
) -> None:
    one, two, three = (SessionKey(name, "a") for name in ("one", "two", "three"))
    owed = await both.open(three, "1")
    failing_sessions.failure = Down()
    await take_turn(both, one, "1")
    await take_turn(both, two, "1")
    assert await both.save(three, owed, "1", b"kept", b"and answered")
    assert (await both.open(three, "2")).session == b"kept"
    assert (await both.open(one, "2")).status == "new"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with run_server(RedisServer, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        yield server


@pytest.fixture
async def sessions(server: RedisServer) -> AsyncIterator[RedisSessions]:
    sessions = build_redis_sessions(server.url)
    await sessions.load_scripts()
    yield sessions
    await sessions.aclose()


@pytest.fixture
def guarded_sessions(sessions: RedisSessions) -> FallbackSessions:
    return FallbackSessions(sessions, MemorySessions(time.monotonic), time.monotonic, cool_down_seconds=0.05)


@redis
async def test_a_redis_restarted_empty_serves_again_without_a_visible_failure(
    guarded_sessions: FallbackSessions, server: RedisServer, key: SessionKey
) -> None:
    await take_turn(guarded_sessions, key, "1")
    server.kill()
    other = SessionKey("another", "conversation")
    await take_turn(guarded_sessions, other, "1")
    server.start()

    async def back() -> bool:
        return (await guarded_sessions.open(SessionKey(uuid.uuid4().hex, "a"), "1")).fencing_token > 0

    await poll_until(back)
    assert (await guarded_sessions.open(key, "2")).status == "new"
    assert (await guarded_sessions.open(other, "2")).status == "live"


@redis
async def test_a_stopped_redis_delays_a_tenth_of_a_second_and_then_memory_serves(
    sessions: RedisSessions, guarded_sessions: FallbackSessions, server: RedisServer, key: SessionKey
) -> None:
    await take_turn(guarded_sessions, key, "1")
    server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(Slow):
            await sessions.open(key, "2")
        assert 0.09 <= time.monotonic() - began < 0.5
        await take_turn(guarded_sessions, key, "2")
    finally:
        server.resume()
    await poll_until(lambda: open_answers(sessions))


async def open_answers(sessions: RedisSessions) -> bool:
    try:
        await sessions.delete_session(SessionKey("any", "a"))
    except Unavailable:
        return False
    return True


@redis
async def test_a_full_redis_is_down_and_memory_serves(
    sessions: RedisSessions, guarded_sessions: FallbackSessions, key: SessionKey
) -> None:
    opened = await guarded_sessions.open(key, "1")
    with pytest.raises(Down, match="OOM"):
        for number in range(3000):
            await take_turn(sessions, SessionKey(f"{number}", "a"), "1", bytes(range(256)) * 8)
    assert await guarded_sessions.save(key, opened, "1", b"moved", b"reply")
    await take_turn(guarded_sessions, key, "2")
    await guarded_sessions.delete_session(key)


@redis
@pytest.mark.parametrize("toxic", ["reset_peer", "limit_bytes", "down"])
async def test_a_broken_connection_is_down_at_once_and_recovers_with_it(
    redis_url: str, redis_server: RedisServer, key: SessionKey, toxic: str
) -> None:
    async with FaultProxy(redis_server.port) as proxy:
        sessions = build_redis_sessions(f"redis://127.0.0.1:{proxy.port}")
        await sessions.load_scripts()
        await take_turn(sessions, key, "1")
        await apply_toxic(proxy, toxic)
        with pytest.raises(Down):
            await sessions.open(key, "2")
        proxy.remove_toxics()
        if toxic == "down":
            await proxy.bring_up()
        await poll_until(lambda: open_answers(sessions))
        await sessions.aclose()


async def apply_toxic(proxy: FaultProxy, toxic: str) -> None:
    if toxic == "down":
        await proxy.take_down()
    elif toxic == "reset_peer":
        proxy.toxics.reset_peer = True
    else:
        proxy.toxics.limit_bytes = 1


@redis
async def test_answers_that_come_too_late_never_reach_another_caller(redis_server: RedisServer) -> None:
    async with FaultProxy(redis_server.port) as proxy:
        sessions = build_redis_sessions(f"redis://127.0.0.1:{proxy.port}")
        await sessions.load_scripts()
        keys = [SessionKey(uuid.uuid4().hex, "a") for _ in range(20)]
        for key in keys:
            await take_turn(sessions, key, "1", key.subscriber_hash.encode())
        proxy.toxics.latency_ms, proxy.toxics.jitter_ms = 60, 80
        proxy.toxics.slice_bytes = 7
        for _ in range(5):
            calls = [sessions.open(key, "1") for key in keys]
            for key, found in zip(keys, await asyncio.gather(*calls, return_exceptions=True), strict=True):
                assert isinstance(found, Slow) or (
                    isinstance(found, OpenedSession) and found.session == key.subscriber_hash.encode()
                )
        await sessions.aclose()
