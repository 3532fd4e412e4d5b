"""Recalled sessions: a turn of one round trip counts only where nobody else came in between."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from flows.domain.ports import OpenedSession, SessionKey
from storage.sessions.fallback import FallbackSessions
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.memory_store import MemorySessions
from storage.sessions.redis_store import RedisSessions
from storage.sessions.saved_turns import MAX_AGE_SECONDS, MAX_SAVED, SavedTurn, SavedTurns
from tests.storage.sessions.test_contract import take_turn
from tests.storage.sessions.test_fallback import ManualSeconds
from tests.support.redis_sessions import build_redis_sessions

redis = pytest.mark.redis


@pytest.fixture
def key() -> SessionKey:
    return SessionKey(uuid.uuid4().hex[:22], "conversation", resume_hash="resume", resume_seconds=60.0)


@pytest.fixture
async def sessions(redis_url: str) -> AsyncIterator[RedisSessions]:
    sessions = build_redis_sessions(redis_url, budget_seconds=5.0, wait_seconds=0.05)
    yield sessions
    await sessions.aclose()


@pytest.fixture
async def other_process(redis_url: str) -> AsyncIterator[RedisSessions]:
    other = build_redis_sessions(redis_url, budget_seconds=5.0, wait_seconds=0.05)
    yield other
    await other.aclose()


async def recall_after_turn(sessions: RedisSessions, key: SessionKey) -> OpenedSession:
    """Take a turn and return the session as it is recalled for the next one."""
    await take_turn(sessions, key, "1")
    recalled = sessions.recall(key, "2")
    assert recalled is not None
    return recalled


@redis
async def test_what_was_saved_is_recalled_without_a_lease(
    sessions: RedisSessions, other_process: RedisSessions, key: SessionKey
) -> None:
    recalled = await recall_after_turn(sessions, key)
    assert (recalled.status, recalled.version, recalled.session) == ("live", 1, b"at home")
    assert (await other_process.open(key, "2")).status == "live"


@redis
async def test_a_recalled_turn_is_saved_and_recalled_again(sessions: RedisSessions, key: SessionKey) -> None:
    for number in range(1, 5):
        recalled = sessions.recall(key, str(number)) if number > 1 else await sessions.open(key, "1")
        assert recalled is not None
        assert await sessions.save(key, recalled, str(number), b"%d" % number, b"reply %d" % number)
    again = await sessions.open(key, "4")
    assert (again.status, again.version, again.session, again.reply) == ("replay", 4, b"4", b"reply 4")


@redis
async def test_nothing_is_recalled_for_a_repeat_a_stranger_and_an_ended_session(
    sessions: RedisSessions, other_process: RedisSessions, key: SessionKey
) -> None:
    await take_turn(sessions, key, "1")
    assert sessions.recall(key, "1") is None
    assert sessions.recall(SessionKey("somebody", key.session_hash), "2") is None
    assert other_process.recall(key, "2") is None
    await take_turn(sessions, key, "2", None)
    assert sessions.recall(key, "3") is None


async def open_elsewhere(other: RedisSessions, key: SessionKey) -> None:
    assert (await other.open(key, "2")).status == "live"


async def release_elsewhere(other: RedisSessions, key: SessionKey) -> None:
    await other.release(key, await other.open(key, "2"))


async def answer_elsewhere(other: RedisSessions, key: SessionKey) -> None:
    await take_turn(other, key, "2")


async def end_elsewhere(other: RedisSessions, key: SessionKey) -> None:
    await take_turn(other, key, "2", None)


async def delete_elsewhere(other: RedisSessions, key: SessionKey) -> None:
    await other.delete_session(key)


async def begin_anew_elsewhere(other: RedisSessions, key: SessionKey) -> None:
    """Leave another conversation of the same session id with the same version."""
    await other.delete_session(key)
    await take_turn(other, key, "1", b"another conversation")


@redis
@pytest.mark.parametrize(
    "happen",
    [
        open_elsewhere,
        release_elsewhere,
        answer_elsewhere,
        end_elsewhere,
        delete_elsewhere,
        begin_anew_elsewhere,
    ],
)
async def test_a_recalled_turn_that_somebody_came_before_stores_nothing(
    sessions: RedisSessions,
    other_process: RedisSessions,
    key: SessionKey,
    happen: Callable[[RedisSessions, SessionKey], Awaitable[None]],
) -> None:
    recalled = await recall_after_turn(sessions, key)
    await happen(other_process, key)
    assert not await sessions.save(key, recalled, "2", b"stale", b"stale", can_resume=True)
    await other_process.delete_session(key)
    opened = await sessions.open(key, "2")
    assert (opened.status, opened.resume_point) == ("new", None)


@redis
async def test_of_two_recalled_turns_at_once_one_counts(sessions: RedisSessions, key: SessionKey) -> None:
    first = await recall_after_turn(sessions, key)
    assert sessions.recall(key, "2") is None
    twin = await sessions.open(key, "2")
    assert await sessions.save(key, twin, "2", b"twin", b"twin")
    assert not await sessions.save(key, first, "2", b"first", b"first")
    assert (await sessions.open(key, "2")).reply == b"twin"


@redis
async def test_the_holder_of_an_expired_lease_is_fenced_by_a_recalled_turn(
    redis_url: str, sessions: RedisSessions, key: SessionKey
) -> None:
    await take_turn(sessions, key, "1")
    late = await sessions.open(key, "2")
    await sessions.release(key, late)
    await take_turn(sessions, key, "2")
    recalled = sessions.recall(key, "3")
    assert recalled is not None and await sessions.save(key, recalled, "3", b"third", b"reply 3")
    assert not await sessions.save(key, late, "2", b"late", b"late")


@redis
async def test_recalled_turns_count_towards_the_rate_limit(redis_url: str, key: SessionKey) -> None:
    sessions = build_redis_sessions(redis_url, budget_seconds=5.0, rate_limit=TurnRateLimit(2, 60))
    recalled = await recall_after_turn(sessions, key)
    assert await sessions.save(key, recalled, "2", b"second", b"reply 2")
    third = sessions.recall(key, "3")
    assert third is not None and not await sessions.save(key, third, "3", b"third", b"reply 3")
    assert (await sessions.open(key, "3")).status == "limited"
    await sessions.aclose()


@redis
async def test_a_recalled_turn_moves_the_resume_point(sessions: RedisSessions, key: SessionKey) -> None:
    recalled = await recall_after_turn(sessions, key)
    assert await sessions.save(key, recalled, "2", b"at bills", b"reply 2", can_resume=True)
    dialled = SessionKey(key.subscriber_hash, "next dial", 0.0, "resume", 60.0)
    assert (await sessions.open(dialled, "1")).resume_point == b"at bills"


@redis
async def test_an_equal_request_after_an_acknowledged_reply_is_recalled(
    sessions: RedisSessions, key: SessionKey
) -> None:
    opened = await take_turn(sessions, key, "1")
    await sessions.acknowledge_reply(key, opened.version + 1)
    recalled = sessions.recall(key, "1")
    assert recalled is not None and await sessions.save(key, recalled, "1", b"once more", b"reply 1")


@redis
async def test_a_forgotten_subscriber_and_a_deleted_session_are_not_recalled(sessions: RedisSessions) -> None:
    mine = uuid.uuid4().hex[:22]
    forgotten, deleted = SessionKey(mine, "a"), SessionKey(uuid.uuid4().hex[:22], "a")
    for key in (forgotten, deleted):
        await take_turn(sessions, key, "1")
    await sessions.forget_subscriber(mine)
    await sessions.delete_session(deleted)
    assert sessions.recall(forgotten, "2") is None and sessions.recall(deleted, "2") is None


@redis
async def test_a_recalled_turn_goes_on_in_memory_when_redis_fails(
    sessions: RedisSessions, key: SessionKey
) -> None:
    clock = ManualSeconds()
    both = FallbackSessions(sessions, MemorySessions(clock), clock, failure_threshold=1)
    recalled = await recall_after_turn(sessions, key)
    await sessions.aclose()
    assert await both.save(key, recalled, "2", b"second", b"reply 2")
    assert (await both.open(key, "2")).reply == b"reply 2"
    assert (await both.open(key, "3")).session == b"second"


@redis
async def test_nothing_is_recalled_while_memory_serves(sessions: RedisSessions, key: SessionKey) -> None:
    clock, other = ManualSeconds(), SessionKey(uuid.uuid4().hex[:22], "other")
    both = FallbackSessions(sessions, MemorySessions(clock), clock, failure_threshold=1)
    await take_turn(sessions, other, "1")
    recalled = await recall_after_turn(sessions, key)
    await sessions.aclose()
    await both.save(key, recalled, "2", b"second", b"reply 2")
    assert both.is_degraded
    assert both.recall(other, "2") is None and both.recall(key, "3") is None


def test_a_saved_turn_is_remembered_for_a_minute() -> None:
    clock = ManualSeconds()
    turns = SavedTurns(clock)
    for name in ("first", "second"):
        turns.remember_turn(name, SavedTurn(1, 2, b"hop", b"session"))
    assert turns.take_turn("first", b"next") == SavedTurn(1, 2, b"hop", b"session")
    clock.seconds += MAX_AGE_SECONDS
    assert turns.take_turn("second", b"next") is None


def test_saved_turns_are_limited_in_number_and_the_oldest_leave_first() -> None:
    clock = ManualSeconds()
    turns = SavedTurns(clock)
    for number in range(MAX_SAVED + 10):
        turns.remember_turn(str(number), SavedTurn(1, number, b"hop", b"session"))
    assert len(turns) == MAX_SAVED
    assert turns.take_turn("9", b"next") is None and turns.take_turn("10", b"next") is not None
    clock.seconds += MAX_AGE_SECONDS
    for number in range(MAX_SAVED):
        turns.remember_turn(f"later {number}", SavedTurn(1, number, b"hop", b"session"))
    assert len(turns) == MAX_SAVED
