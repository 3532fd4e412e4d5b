"""Redis session store: sizes, hash tags, garbage values, pipelining, sentinels, cancellation."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis as Client

from flows.domain.failures import Down
from flows.domain.ports import SessionKey
from flows.domain.records import Secret
from storage.crypto import SessionCipher
from storage.sessions.codec import encode_body, seal_body
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.redis_store import RedisSessions
from tests.storage.sessions.test_contract import take_turn
from tests.support.databases import SECRET
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import RedisServer, run_server

pytestmark = pytest.mark.redis

SESSION = (
    b'["orange-ro","ussd","+40740000101","a1b2c3d4","einvoice.confirm","ro","mobile",["line"],"",'
    b'["home","einvoice.menu"],0,0,0,3,[0,1,3],"nW3xkq0fJvTzR7bYcLm2Ag",{"email":["t","m.p@example.net"]}]'
)
REPLY = (
    b"CON Factura electronica este activa. Vei primi factura pe m.p@example.net\n"
    b"1. Inapoi la factura pe hartie\n2. Schimba adresa de e-mail\n0. Inapoi"
)


@pytest.fixture
def key() -> SessionKey:
    return SessionKey(uuid.uuid4().hex[:22], uuid.uuid4().hex[:22])


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    async with Client.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def sessions(redis_url: str) -> AsyncIterator[RedisSessions]:
    sessions = build_redis_sessions(
        redis_url, rate_limit=TurnRateLimit(50, 10), wait_seconds=0.2, budget_seconds=5.0
    )
    yield sessions
    await sessions.aclose()


async def test_a_live_session_takes_at_most_560_bytes(
    sessions: RedisSessions, client: Client, key: SessionKey
) -> None:
    assert (len(SESSION), len(REPLY)) >= (180, 140)
    opened = await sessions.open(key, "3:nW3xkq0fJvTz")
    assert await sessions.save(key, opened, "3:nW3xkq0fJvTz", SESSION, REPLY)
    under_way = await sessions.open(key, "4:nW3xkq0fJvTz")
    assert under_way.session == SESSION
    assert (await client.memory_usage(f"{{{key.subscriber_hash}}}{key.session_hash}") or 0) <= 560


async def test_all_keys_of_a_session_share_its_hash_tag(
    sessions: RedisSessions, client: Client, key: SessionKey
) -> None:
    await take_turn(sessions, key, "1")
    names = [name async for name in client.scan_iter(f"*{key.subscriber_hash}*")]
    assert len(names) == 2
    assert all(name.startswith(f"{{{key.subscriber_hash}}}".encode()) for name in names)


async def test_every_key_expires(sessions: RedisSessions, client: Client, key: SessionKey) -> None:
    await sessions.open(key, "1")
    names = [name async for name in client.scan_iter(f"*{key.subscriber_hash}*")]
    assert all([0 < await client.pttl(name) <= 180_000 for name in names])


@pytest.mark.parametrize("head", [b"", b"\xd0", b"\xd1", b"\xd2"])
async def test_random_bytes_are_no_session(
    sessions: RedisSessions, client: Client, key: SessionKey, head: bytes
) -> None:
    name, bucket = f"{{{key.subscriber_hash}}}{key.session_hash}", f"{{{key.subscriber_hash}}}"
    for size in range(0, 120, 3):
        await client.set(name, head + os.urandom(size))
        await client.set(bucket, os.urandom(size))
        opened = await sessions.open(key, "1")
        assert opened.status in ("new", "live")
        assert await sessions.save(key, opened, "1", b"", b"whole")
        assert (await sessions.open(key, "1")).reply == b"whole"


async def test_a_redis_key_of_another_type_is_no_session(
    sessions: RedisSessions, client: Client, key: SessionKey
) -> None:
    await client.hset(f"{{{key.subscriber_hash}}}{key.session_hash}", "a", "b")
    await client.hset(f"{{{key.subscriber_hash}}}", "a", "b")
    await take_turn(sessions, key, "1")


async def test_a_forgotten_script_is_sent_again(
    sessions: RedisSessions, client: Client, key: SessionKey
) -> None:
    await take_turn(sessions, key, "1")
    await client.script_flush()
    await take_turn(sessions, key, "2")


async def test_calls_of_one_loop_iteration_are_pipelined(redis_url: str, client: Client) -> None:
    sessions = build_redis_sessions(redis_url, budget_seconds=5.0)
    await sessions.load_scripts()
    before = (await client.info("clients"))["connected_clients"]
    keys = [SessionKey(uuid.uuid4().hex, "a") for _ in range(500)]
    await asyncio.gather(*(take_turn(sessions, key, "1") for key in keys))
    assert (await client.info("clients"))["connected_clients"] - before <= 1
    await sessions.aclose()


async def test_a_cancelled_call_leaves_the_others_of_its_pipeline_alone(sessions: RedisSessions) -> None:
    keys = [SessionKey(uuid.uuid4().hex, "a") for _ in range(30)]
    calls = [asyncio.create_task(sessions.open(key, "1")) for key in keys]
    await asyncio.sleep(0)
    calls[7].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done.pop(7), asyncio.CancelledError)
    assert {getattr(each, "status", each) for each in done} == {"new"}


async def test_a_closed_store_is_down_and_nobody_waits_forever(redis_url: str, key: SessionKey) -> None:
    sessions = build_redis_sessions(redis_url)
    call = asyncio.create_task(sessions.open(key, "1"))
    await asyncio.sleep(0)
    await sessions.aclose()
    with pytest.raises(Down):
        await call


class RedisSentinel(RedisServer):
    """A sentinel that watches one master, alone."""

    def command_line(self) -> list[str]:
        conf = self.folder / "sentinel.conf"
        conf.write_text(f"sentinel monitor bills 127.0.0.1 {self.options[0]} 1\n")
        binary, *rest = super().command_line()
        kept = rest[: rest.index("--save")]
        return [binary, str(conf), "--sentinel", *kept]


async def test_sentinels_name_the_master(redis_server: RedisServer, key: SessionKey) -> None:
    with run_server(RedisSentinel, str(redis_server.port)) as sentinel:
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/bills/1"
        sessions = build_redis_sessions(url, budget_seconds=5.0)
        await take_turn(sessions, key, "1")
        await sessions.aclose()
    async with Client.from_url(redis_server.url.replace("/0", "/1")) as client:
        assert await client.exists(f"{{{key.subscriber_hash}}}{key.session_hash}")


@pytest.mark.parametrize(
    "url", ["http://u:secret@h/", "redis+magic://u:secret@h", "redis+sentinel://u:secret@h"]
)
def test_another_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as refused:
        build_redis_sessions(url)
    assert "secret" not in str(refused.value)


UNREADABLE_BODIES = {
    "in clear, as releases before wrote it": lambda name: encode_body(SESSION, REPLY),
    "sealed with another secret": lambda name: seal_body(SessionCipher(Secret("other")), name, SESSION, REPLY),
    "of another session": lambda name: seal_body(SessionCipher(SECRET), f"{name}x", SESSION, REPLY),
    "of a later format": lambda name: b"\3" + seal_body(SessionCipher(SECRET), name, SESSION, REPLY)[1:],
    "cut short": lambda name: seal_body(SessionCipher(SECRET), name, SESSION, REPLY)[:9],
}


@pytest.mark.parametrize("form", UNREADABLE_BODIES)
async def test_a_value_that_cannot_be_unsealed_begins_anew(
    sessions: RedisSessions, client: Client, key: SessionKey, form: str
) -> None:
    await take_turn(sessions, key, "1")
    name = f"{{{key.subscriber_hash}}}{key.session_hash}"
    stored = await client.get(name)
    assert isinstance(stored, bytes)
    await client.set(name, stored[:20] + UNREADABLE_BODIES[form](name))
    assert (await sessions.open(key, "2")).status == "new"


async def test_equal_sessions_are_stored_as_different_bytes(
    sessions: RedisSessions, client: Client, key: SessionKey
) -> None:
    twin = SessionKey(key.subscriber_hash, "twin")
    for each in (key, twin):
        await take_turn(sessions, each, "1", SESSION)
    stored = [await client.get(f"{{{key.subscriber_hash}}}{each.session_hash}") for each in (key, twin)]
    assert len({(value or b"")[-40:] for value in stored}) == 2
