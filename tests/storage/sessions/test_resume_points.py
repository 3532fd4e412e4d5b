"""Resume points: the same cases over memory and Redis; where a caller's dropped session can be continued."""

import uuid
from dataclasses import replace

import pytest

from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from storage.sessions.memory_store import MemorySessions
from tests.storage.sessions.test_contract import make as make
from tests.storage.sessions.test_contract import sessions as sessions
from tests.support.server_processes import poll_until

POINT = b"at the confirmation \x00\xff" * 20
"""Long enough to be compressed."""


@pytest.fixture
def key() -> SessionKey:
    return SessionKey(uuid.uuid4().hex[:22], "first", 0.0, "resume", 600.0)


async def drop_session(sessions: SessionStore, key: SessionKey) -> None:
    """Take one turn at which the caller may be dropped."""
    opened = await sessions.open(key, "1")
    assert await sessions.save(key, opened, "1", POINT, b"reply", can_resume=True)


async def dial_again(sessions: SessionStore, key: SessionKey, session: str = "second") -> OpenedSession:
    """Open a new session of the same caller."""
    return await sessions.open(replace(key, session_hash=session), "1")


async def test_a_new_session_gets_the_resume_point_of_the_last(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, key)
    opened = await dial_again(sessions, key)
    assert (opened.status, opened.session, opened.resume_point) == ("new", None, POINT)


async def test_the_network_ending_a_session_leaves_its_resume_point(
    sessions: SessionStore, key: SessionKey
) -> None:
    await drop_session(sessions, key)
    await sessions.delete_session(key)
    assert (await sessions.open(key, "1")).resume_point == POINT


async def test_the_session_under_way_gets_none(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, key)
    assert (await sessions.open(key, "2")).resume_point is None


async def test_an_end_deletes_the_resume_point(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, key)
    opened = await sessions.open(key, "2")
    await sessions.save(key, opened, "2", None, b"goodbye")
    assert (await dial_again(sessions, key)).resume_point is None


async def test_a_lost_lease_changes_no_resume_point(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, key)
    late = await sessions.open(key, "2")
    await sessions.release(key, late)
    assert not await sessions.save(key, late, "2", b"late", b"late", can_resume=True)
    assert (await dial_again(sessions, key)).resume_point == POINT


@pytest.mark.parametrize(
    "other",
    [{"resume_hash": "another channel"}, {"subscriber_hash": "somebody"}, {"resume_seconds": 0.0}],
    ids=str,
)
async def test_nobody_else_gets_it(sessions: SessionStore, key: SessionKey, other: dict[str, str]) -> None:
    await drop_session(sessions, key)
    assert (await dial_again(sessions, replace(key, **other))).resume_point is None  # type: ignore[arg-type]


async def test_without_a_resume_time_nothing_is_stored(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, replace(key, resume_seconds=0.0))
    assert (await dial_again(sessions, key)).resume_point is None


async def test_it_expires_by_its_own_time(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, replace(key, resume_seconds=0.02))
    numbers = iter(range(10_000))

    async def is_gone() -> bool:
        return (await dial_again(sessions, key, f"again {next(numbers)}")).resume_point is None

    await poll_until(is_gone)


async def test_forgetting_a_subscriber_forgets_it(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, key)
    assert await sessions.forget_subscriber(key.subscriber_hash) == 1
    assert (await dial_again(sessions, key)).resume_point is None


async def test_a_released_turn_is_offered_it_again(sessions: SessionStore, key: SessionKey) -> None:
    await drop_session(sessions, key)
    first = await dial_again(sessions, key)
    await sessions.release(replace(key, session_hash="second"), first)
    assert (await dial_again(sessions, key)).resume_point == POINT


async def test_memory_keeps_the_newest_resume_points(key: SessionKey) -> None:
    sessions = MemorySessions(lambda: 0.0, max_entries=2)
    callers = [replace(key, subscriber_hash=name) for name in ("ana", "barbu", "dan")]
    for caller in callers:
        await drop_session(sessions, caller)
        await sessions.delete_session(caller)
    assert (await dial_again(sessions, callers[0])).resume_point is None
    assert (await dial_again(sessions, callers[2])).resume_point == POINT
