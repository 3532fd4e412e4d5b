"""Acknowledged replies: the same cases over memory and Redis."""

from flows.domain.ports import SessionKey, SessionStore
from tests.storage.sessions import test_contract

make, sessions, key = test_contract.make, test_contract.sessions, test_contract.key
"""The fixtures of the sessions contract."""
take_turn = test_contract.take_turn


async def test_an_equal_request_after_an_acknowledged_reply_is_a_new_one(
    sessions: SessionStore, key: SessionKey
) -> None:
    opened = await take_turn(sessions, key, "1")
    await sessions.acknowledge_reply(key, opened.version + 1)
    again = await sessions.open(key, "1")
    assert (again.status, again.session) == ("live", b"at home")


async def test_acknowledging_an_older_version_changes_nothing(sessions: SessionStore, key: SessionKey) -> None:
    opened = await take_turn(sessions, key, "1")
    await take_turn(sessions, key, "2")
    await sessions.acknowledge_reply(key, opened.version + 1)
    assert (await sessions.open(key, "2")).status == "replay"


async def test_acknowledging_keeps_the_lease_of_a_turn_under_way(
    sessions: SessionStore, key: SessionKey
) -> None:
    first = await take_turn(sessions, key, "1")
    opened = await sessions.open(key, "2")
    await sessions.acknowledge_reply(key, first.version + 1)
    assert await sessions.save(key, opened, "2", b"moved", b"reply 2")


async def test_acknowledging_an_unknown_session_is_ignored(sessions: SessionStore, key: SessionKey) -> None:
    await sessions.acknowledge_reply(key, 1)
    assert (await sessions.open(key, "1")).status == "new"
