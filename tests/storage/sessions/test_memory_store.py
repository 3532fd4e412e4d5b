"""Memory sessions: a time to live of each session's own."""

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
