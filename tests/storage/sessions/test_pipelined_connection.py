"""Pipelined connections to Redis: order of answers, lost connections, silence, and what is not Redis."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis as Client

from flows.domain.failures import Down, Slow, Unavailable
from storage.sessions.connect import build_script_client
from storage.sessions.script_client import Script, ScriptClient
from tests.storage.sessions.test_redis_hosts import silent_host
from tests.support.server_processes import RedisServer, run_server

pytestmark = pytest.mark.redis
ECHO = Script("return ARGV[1]", key_count=1)
WRITE = Script("return redis.call('SET', KEYS[1], ARGV[1])", key_count=1)
Reply = Callable[[asyncio.StreamWriter], None]


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    async with Client.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def scripts(redis_url: str) -> AsyncIterator[ScriptClient]:
    scripts = build_script_client(redis_url, 5.0)
    yield scripts
    await scripts.aclose()


@asynccontextmanager
async def strange_server(reply: Reply) -> AsyncIterator[str]:
    """Greet as Redis does, and answer every script with `reply`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b"EVALSHA" in data:
                reply(writer)
            else:
                writer.write(b"+OK\r\n" * data.count(b"SETINFO"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def echo_all(scripts: ScriptClient, count: int) -> list[bytes]:
    return list(await asyncio.gather(*(scripts.run_script(ECHO, "k", number) for number in range(count))))


async def test_every_caller_gets_the_answer_to_its_own_call(scripts: ScriptClient) -> None:
    expected = [b"%d" % number for number in range(300)]
    assert [await echo_all(scripts, 300) for _ in range(5)] == [expected] * 5


async def test_callers_that_give_up_leave_the_answers_of_the_others_in_order(scripts: ScriptClient) -> None:
    calls = [asyncio.create_task(scripts.run_script(ECHO, "k", number)) for number in range(90)]
    for turn, call in enumerate(calls[::3]):
        await asyncio.sleep(0)
        if turn % 2:
            call.cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    answered = [(number, answer) for number, answer in enumerate(done) if isinstance(answer, bytes)]
    assert all(answer == b"%d" % number for number, answer in answered)
    assert len(answered) >= 75


async def test_an_idle_connection_that_redis_closed_costs_no_call(
    scripts: ScriptClient, client: Client
) -> None:
    for number in range(5):
        assert await scripts.run_script(ECHO, "k", number) == b"%d" % number
        await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
        await asyncio.sleep(0.01)


async def test_a_long_answer_arrives_whole_beside_short_ones(scripts: ScriptClient) -> None:
    long = uuid.uuid4().bytes * 100_000
    answers = await asyncio.gather(
        scripts.run_script(ECHO, "k", long), echo_all(scripts, 20), scripts.run_script(ECHO, "k", long)
    )
    assert answers[0] == answers[2] == long and answers[1][19] == b"19"


@pytest.mark.parametrize(
    "reply",
    [
        lambda writer: writer.close(),
        lambda writer: writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda writer: writer.write(b"$1\r\na\r\n" * 100),
    ],
    ids=["closes", "speaks another protocol", "answers more than was asked"],
)
async def test_a_server_that_breaks_off_is_down_and_is_called_again(reply: Reply) -> None:
    async with strange_server(reply) as url:
        scripts = build_script_client(url, 5.0)
        for _ in range(3):
            answers = await asyncio.gather(
                *(scripts.run_script(ECHO, "k", 1) for _ in range(2)), return_exceptions=True
            )
            assert {type(each) for each in answers} <= {Down, bytes}
        await scripts.aclose()


async def test_a_server_that_is_silent_after_its_greeting_is_slow_for_all_that_was_sent() -> None:
    async with strange_server(lambda writer: None) as url:
        scripts = build_script_client(url, 0.05)
        for _ in range(2):
            answers = await asyncio.gather(
                *(scripts.run_script(ECHO, "k", 1) for _ in range(3)), return_exceptions=True
            )
            assert {type(each) for each in answers} == {Slow}
        await scripts.aclose()


async def test_a_call_does_not_wait_as_long_as_the_loading_of_scripts_before_it() -> None:
    async with silent_host() as port:
        scripts = build_script_client(f"redis://127.0.0.1:{port}", 0.1)
        loading = asyncio.create_task(scripts.load_scripts(ECHO))
        await asyncio.sleep(0)
        with pytest.raises(Slow):
            await scripts.run_script(ECHO, "k", 1)
        for _ in range(10):  # as long as a failure at the same time takes to reach its caller
            await asyncio.sleep(0)
        assert not loading.done()
        await scripts.aclose()
        with pytest.raises(Unavailable):
            await loading


async def test_a_master_that_became_a_replica_is_left() -> None:
    with run_server(RedisServer) as server:
        scripts = build_script_client(server.url, 5.0)
        async with Client.from_url(server.url) as client:
            await scripts.run_script(WRITE, "k", 1)
            await client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
            before = (await client.info("stats"))["total_connections_received"]
            for _ in range(2):
                with pytest.raises(Down, match="READONLY"):
                    await scripts.run_script(WRITE, "k", 1)
            assert (await client.info("stats"))["total_connections_received"] == before + 1
        await scripts.aclose()
