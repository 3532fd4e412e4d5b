"""Memory sessions: a time to live of each session's own."""

import pytest

from flows.domain.failures import Overloaded
from flows.domain.ports import SessionKey
from storage.sessions.memory_store import MemorySessions

SHORT, LONG = SessionKey("ana", "ussd"), SessionKey("ana", "sms", 600.0)


async def save_session(sessions: MemorySessions, key: SessionKey) -> None:
    opened = await sessions.open(key, "1")
    assert await sessions.save(key, opened, "1", b"session", b"reply")


async def test_a_session_lives_as_long_as_its_key_says() -> None:
    seconds = [0.0]
    sessions = MemorySessions(lambda: seconds[0])
    for key in (LONG, SHORT):
        await save_session(sessions, key)
    seconds[0] = 200.0
    assert sessions.has_session(LONG) and not sessions.has_session(SHORT)
    seconds[0] = 601.0
    assert not sessions.has_session(LONG)


async def test_a_long_session_keeps_no_expired_short_one_in_memory() -> None:
    seconds = [0.0]
    sessions = MemorySessions(lambda: seconds[0], max_entries=3)
    for key in (LONG, SHORT, SessionKey("barbu", "ussd")):
        await save_session(sessions, key)
    seconds[0] = 200.0
    await save_session(sessions, SessionKey("dan", "ussd"))
    assert len(sessions) == 2 and sessions.has_session(LONG)


async def hold_conversation(sessions: MemorySessions, name: str, turns: int) -> SessionKey:
    key = SessionKey(name, "ussd")
    for turn in range(turns):
        opened = await sessions.open(key, f"{turn}")
        await sessions.save(key, opened, f"{turn}", b"at home", b"reply")
    return key


async def test_a_full_store_serves_new_callers() -> None:
    sessions = MemorySessions(lambda: 0.0, max_entries=3)
    keys = [await hold_conversation(sessions, f"caller {number}", 1) for number in range(10)]
    assert [sessions.has_session(key) for key in keys] == [False] * 7 + [True] * 3


async def test_a_flood_of_new_callers_costs_no_conversation_under_way() -> None:
    sessions = MemorySessions(lambda: 0.0, max_entries=4)
    old = [await hold_conversation(sessions, name, 2) for name in ("ana", "barbu")]
    for number in range(50):
        await hold_conversation(sessions, f"flood {number}", 1)
    assert all(sessions.has_session(key) for key in old)
    assert (await sessions.open(old[0], "next")).status == "live"


async def test_of_conversations_under_way_the_one_unused_for_longest_goes() -> None:
    sessions = MemorySessions(lambda: 0.0, max_entries=2)
    first, second = [await hold_conversation(sessions, name, 2) for name in ("ana", "barbu")]
    await hold_conversation(sessions, "cristi", 2)
    assert (sessions.has_session(first), sessions.has_session(second)) == (False, True)


async def test_a_turn_under_way_keeps_its_session() -> None:
    sessions = MemorySessions(lambda: 0.0, max_entries=1)
    key = SessionKey("ana", "ussd")
    opened = await sessions.open(key, "1")
    with pytest.raises(Overloaded):
        await sessions.open(SessionKey("barbu", "ussd"), "1")
    assert await sessions.save(key, opened, "1", b"at home", b"reply")
