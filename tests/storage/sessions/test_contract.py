"""Sessions contract: the same cases over memory and Redis."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from _pytest.fixtures import FixtureRequest

from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.memory_store import MemorySessions
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import poll_until

MakeSessions = Callable[..., SessionStore]
STORES = ("memory", pytest.param("redis", marks=pytest.mark.redis))


@pytest.fixture(params=STORES)
async def make(request: FixtureRequest) -> AsyncIterator[MakeSessions]:
    """Provide a builder of session stores: `make(wait_seconds=..., limit=...)`."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    opened: list[Any] = []

    def build(**options: Any) -> SessionStore:
        if not url:
            return MemorySessions(time.monotonic, **options)
        # A busy machine must not fail the contract; the budget has its own tests.
        opened.append(build_redis_sessions(url, budget_seconds=5.0, **options))
        return opened[-1]  # type: ignore[no-any-return]

    yield build
    for store in opened:
        await store.aclose()


@pytest.fixture
def sessions(make: MakeSessions) -> SessionStore:
    return make()


@pytest.fixture
def key() -> SessionKey:
    return SessionKey(uuid.uuid4().hex[:22], "conversation")


async def take_turn(
    sessions: SessionStore, key: SessionKey, hop: str, session: bytes | None = b"at home"
) -> OpenedSession:
    """Take one whole turn, whose reply names the hop."""
    opened = await sessions.open(key, hop)
    assert opened.status in ("new", "live")
    assert await sessions.save(key, opened, hop, session, f"reply {hop}".encode())
    return opened


async def test_an_unknown_session_is_new(sessions: SessionStore, key: SessionKey) -> None:
    opened = await sessions.open(key, "1")
    assert (opened.status, opened.version, opened.session, opened.reply) == ("new", 0, None, None)


async def test_the_next_hop_finds_the_session_live(sessions: SessionStore, key: SessionKey) -> None:
    await take_turn(sessions, key, "1", b"\x00 any bytes \xff")
    opened = await sessions.open(key, "2")
    assert (opened.status, opened.version, opened.session) == ("live", 1, b"\x00 any bytes \xff")


async def test_the_same_hop_gets_the_same_reply(sessions: SessionStore, key: SessionKey) -> None:
    await take_turn(sessions, key, "1")
    first, second = await sessions.open(key, "1"), await sessions.open(key, "1")
    assert first == second
    assert (first.status, first.reply) == ("replay", b"reply 1")


async def test_a_repeat_is_answered_while_the_next_hop_is_under_way(
    sessions: SessionStore, key: SessionKey
) -> None:
    await take_turn(sessions, key, "1")
    assert (await sessions.open(key, "2")).status == "live"
    assert (await sessions.open(key, "1")).reply == b"reply 1"


async def test_an_ended_conversation_keeps_only_its_last_reply(sessions: SessionStore, key: SessionKey) -> None:
    await take_turn(sessions, key, "1")
    await take_turn(sessions, key, "2", None)
    repeat, later = await sessions.open(key, "2"), await sessions.open(key, "3")
    assert (repeat.status, repeat.reply, repeat.session) == ("replay", b"reply 2", None)
    assert (later.status, later.reply, later.session) == ("ended", b"reply 2", None)


async def test_a_conversation_of_one_hop_ends_too(sessions: SessionStore, key: SessionKey) -> None:
    await take_turn(sessions, key, "1", None)
    assert (await sessions.open(key, "2")).status == "ended"


async def test_busy_when_the_first_does_not_finish(make: MakeSessions, key: SessionKey) -> None:
    sessions = make(wait_seconds=0.05)
    await sessions.open(key, "1")
    assert (await sessions.open(key, "1")).status == "busy"


async def test_a_concurrent_repeat_gets_the_reply_of_the_first(sessions: SessionStore, key: SessionKey) -> None:
    first = await sessions.open(key, "1")
    twin = asyncio.create_task(sessions.open(key, "1"))
    await poll_until(lambda: is_waiting_or_done(twin))
    await sessions.save(key, first, "1", b"moved", b"the reply")
    assert (await twin).reply == b"the reply"


async def test_the_next_hop_waits_and_is_live(sessions: SessionStore, key: SessionKey) -> None:
    first = await sessions.open(key, "1")
    twin = asyncio.create_task(sessions.open(key, "2"))
    await poll_until(lambda: is_waiting_or_done(twin))
    await sessions.save(key, first, "1", b"moved", b"the reply")
    opened = await twin
    assert (opened.status, opened.session) == ("live", b"moved")
    assert opened.fencing_token != first.fencing_token


async def is_waiting_or_done(task: asyncio.Task[OpenedSession]) -> bool:
    """Return whether the task is done or has reached the point where it waits."""
    await asyncio.sleep(0)
    return task.get_coro().cr_await is not None or task.done()  # type: ignore[union-attr]


async def test_released_the_turn_may_be_tried_again(sessions: SessionStore, key: SessionKey) -> None:
    await take_turn(sessions, key, "1")
    failed = await sessions.open(key, "2")
    await sessions.release(key, failed)
    again = await sessions.open(key, "2")
    assert (again.status, again.session) == ("live", b"at home")
    assert not await sessions.save(key, failed, "2", b"late", b"late")


async def test_released_before_the_first_save_it_is_new_again(sessions: SessionStore, key: SessionKey) -> None:
    failed = await sessions.open(key, "1")
    await sessions.release(key, failed)
    assert not await sessions.save(key, failed, "1", b"late", b"late")
    assert (await sessions.open(key, "1")).status == "new"


async def test_a_turn_is_saved_once(sessions: SessionStore, key: SessionKey) -> None:
    opened = await take_turn(sessions, key, "1")
    assert not await sessions.save(key, opened, "1", b"again", b"again")
    assert (await sessions.open(key, "1")).reply == b"reply 1"


async def test_an_expired_lease_lets_another_in_and_fences_the_late_one(
    make: MakeSessions, key: SessionKey
) -> None:
    sessions = make(lease_seconds=0.05)
    late = await sessions.open(key, "1")
    other = await sessions.open(key, "1")
    assert other.status == "new"
    assert await sessions.save(key, other, "1", b"other", b"from other")
    assert not await sessions.save(key, late, "1", b"late", b"from late")
    assert (await sessions.open(key, "1")).reply == b"from other"


async def test_a_late_save_is_taken_while_nobody_else_came(make: MakeSessions, key: SessionKey) -> None:
    sessions = make(lease_seconds=0.0)
    late = await sessions.open(key, "1")
    assert await sessions.save(key, late, "1", b"late", b"late")


async def test_an_idle_session_expires(make: MakeSessions, key: SessionKey) -> None:
    sessions = make(ttl_seconds=0.05)
    await take_turn(sessions, key, "0")

    async def gone() -> bool:
        return (await sessions.open(key, "0")).status == "new"

    await poll_until(gone)


async def test_a_dropped_session_is_gone_and_its_turn_cannot_save(
    sessions: SessionStore, key: SessionKey
) -> None:
    await take_turn(sessions, key, "1")
    under_way = await sessions.open(key, "2")
    await sessions.delete_session(key)
    assert not await sessions.save(key, under_way, "2", b"undead", b"undead")
    assert (await sessions.open(key, "2")).status == "new"
    await sessions.delete_session(SessionKey("nobody", "ever"))


async def test_a_lease_of_before_a_drop_is_worth_nothing_after(sessions: SessionStore, key: SessionKey) -> None:
    before = await sessions.open(key, "1")
    await sessions.delete_session(key)
    after = await sessions.open(key, "1")
    assert not await sessions.save(key, before, "1", b"before", b"before")
    assert await sessions.save(key, after, "1", b"after", b"after")


async def test_limited_counts_turns_of_one_subscriber(make: MakeSessions) -> None:
    sessions = make(rate_limit=TurnRateLimit(3, 60))
    one, two = (SessionKey(uuid.uuid4().hex, "a") for _ in range(2))
    for hop in "123":
        await take_turn(sessions, one, hop)
    assert (await sessions.open(one, "4")).status == "limited"
    assert (await sessions.open(SessionKey(one.subscriber_hash, "b"), "1")).status == "limited"
    assert (await sessions.open(one, "3")).status == "replay"
    assert (await sessions.open(two, "1")).status == "new"


async def test_the_limit_leaks(make: MakeSessions, key: SessionKey) -> None:
    sessions = make(rate_limit=TurnRateLimit(2, 0.1))
    await take_turn(sessions, key, "1")
    await take_turn(sessions, key, "2")

    async def room() -> bool:
        return (await sessions.open(key, "3")).status == "live"

    await poll_until(room)


async def test_of_a_thousand_races_each_has_one_winner(make: MakeSessions) -> None:
    sessions = make(wait_seconds=30.0, lease_seconds=30.0)
    tag = uuid.uuid4().hex

    async def racer(race: int, me: int) -> tuple[str, bytes]:
        key, reply = SessionKey(f"{tag}{race}", "a"), f"{race} by {me}".encode()
        opened = await sessions.open(key, "1")
        if opened.status != "new":
            return opened.status, opened.reply or b""
        await asyncio.sleep(0)
        return ("won" if await sessions.save(key, opened, "1", reply, reply) else "lost"), reply

    for first in range(0, 1000, 100):
        races = range(first, first + 100)
        done = await asyncio.gather(*(racer(race, me) for race in races for me in range(3)))
        for start in range(0, len(done), 3):
            three = done[start : start + 3]
            assert sorted(status for status, _ in three) == ["replay", "replay", "won"]
            assert len({reply for _, reply in three}) == 1


async def test_turns_of_one_session_happen_one_after_the_other(make: MakeSessions, key: SessionKey) -> None:
    sessions = make(wait_seconds=30.0, lease_seconds=30.0)

    async def add(hop: int) -> None:
        opened = await sessions.open(key, str(hop))
        before = int(opened.session or b"0")
        await asyncio.sleep(0)
        assert await sessions.save(key, opened, str(hop), str(before + 1).encode(), b"")

    await asyncio.gather(*map(add, range(50)))
    assert (await sessions.open(key, "end")).session == b"50"


async def test_interleaved_subscribers_never_mix(sessions: SessionStore) -> None:
    async def call(me: str) -> None:
        key = SessionKey(me, "a")
        for hop in range(10):
            opened = await sessions.open(key, str(hop))
            assert opened.session == (f"{me} {hop - 1}".encode() if hop else None)
            assert await sessions.save(key, opened, str(hop), f"{me} {hop}".encode(), me.encode())
            assert (await sessions.open(key, str(hop))).reply == me.encode()

    await asyncio.gather(*(call(uuid.uuid4().hex) for _ in range(200)))


async def test_long_hops_and_long_sessions_come_back_whole(sessions: SessionStore, key: SessionKey) -> None:
    long = bytes(range(256)) * 1000
    await take_turn(sessions, key, "x" * 500 + "1", long)
    assert (await sessions.open(key, "x" * 500 + "2")).session == long
    assert (await sessions.open(key, "x" * 500 + "1")).status == "replay"


async def test_a_cancelled_repeat_does_not_affect_the_others(sessions: SessionStore, key: SessionKey) -> None:
    first = await sessions.open(key, "1")
    twins = [asyncio.create_task(sessions.open(key, "1")) for _ in range(3)]
    await poll_until(lambda: is_waiting_or_done(twins[0]))
    twins[0].cancel()
    await sessions.save(key, first, "1", b"", b"for all")
    done = await asyncio.gather(*twins, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert [each.reply for each in done[1:] if isinstance(each, OpenedSession)] == [b"for all"] * 2


async def test_forgetting_a_subscriber_deletes_only_their_sessions(sessions: SessionStore) -> None:
    mine, other = uuid.uuid4().hex[:22], SessionKey(uuid.uuid4().hex[:22], "a")
    for key in (SessionKey(mine, "a"), SessionKey(mine, "b"), other):
        await take_turn(sessions, key, "1")
    assert await sessions.forget_subscriber(mine) == 2
    assert await sessions.forget_subscriber(mine) == 0
    assert (await sessions.open(SessionKey(mine, "a"), "2")).status == "new"
    assert (await sessions.open(other, "2")).status == "live"
