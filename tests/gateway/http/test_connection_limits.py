"""Connection limits: silent sockets end, heads have a time limit, and a full listener stays reachable."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web

from gateway.http import connection_limits, listening
from gateway.http.connection_limits import connection_cap
from gateway.http.listening import serve_app
from tests.support.raw_http import Connect
from tests.support.raw_http import connect as connect

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Send = Callable[[int, bytes], Awaitable[Streams]]


async def answer_length(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


@asynccontextmanager
async def serve_lengths(handler: object = answer_length) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/", handler)  # type: ignore[arg-type]
    async with serve_app(app, "127.0.0.1", 0) as port:
        yield port


@pytest.fixture
def send(connect: Connect) -> Send:
    """Open a connection and send bytes; every connection is closed at the end."""

    async def send_bytes(port: int, data: bytes) -> Streams:
        reader, writer = await connect(port)
        writer.write(data)
        return reader, writer

    return send_bytes


async def read_answer(streams: Streams) -> bytes:
    async with asyncio.timeout(10):
        head = await streams[0].readuntil(b"\r\n\r\n")
        return head.partition(b"\r\n")[0] + await streams[0].readexactly(1)


async def is_closed(streams: Streams) -> bool:
    try:
        async with asyncio.timeout(10):
            return await streams[0].read() == b""
    except ConnectionError:
        return True


@pytest.fixture
def quick_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 0.05)


def cap_at(monkeypatch: pytest.MonkeyPatch, connections: int) -> None:
    monkeypatch.setattr(listening, "connection_cap", lambda limit: connections)


@pytest.mark.usefixtures("quick_heads")
@pytest.mark.parametrize("data", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\nX-More: "])
async def test_T25_a_silent_socket_and_half_a_head_are_closed(data: bytes, send: Send) -> None:
    async with serve_lengths() as port:
        assert await is_closed(await send(port, data))


@pytest.mark.usefixtures("quick_heads")
async def test_T25_half_a_head_behind_a_whole_request_is_closed(send: Send) -> None:
    async with serve_lengths() as port:
        streams = await send(port, REQUEST)
        assert (await read_answer(streams)).startswith(b"HTTP/1.1 200")
        streams[1].write(b"GET / HTTP/1.1\r\nHo")
        assert await is_closed(streams)


@pytest.mark.usefixtures("quick_heads")
async def test_a_slow_answer_is_not_cut_by_the_limit_of_heads(send: Send) -> None:
    async def answer_late(request: web.Request) -> web.Response:
        await asyncio.sleep(0.15)
        return web.Response(text="1")

    async with serve_lengths(answer_late) as port:
        assert (await read_answer(await send(port, REQUEST))).startswith(b"HTTP/1.1 200")


async def test_T25_at_the_cap_the_longest_idle_connection_makes_room(
    monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    cap_at(monkeypatch, 3)
    async with serve_lengths() as port:
        idle = [await send(port, REQUEST) for _ in range(3)]
        assert [(await read_answer(each))[-1:] for each in idle] == [b"0"] * 3
        assert (await read_answer(await send(port, REQUEST))).endswith(b"0")
        assert await is_closed(idle[0])


async def test_T25_connections_with_a_request_in_progress_are_never_closed_for_new_ones(
    monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    cap_at(monkeypatch, 2)
    release, started = asyncio.Event(), asyncio.Semaphore(0)

    async def answer_when_released(request: web.Request) -> web.Response:
        started.release()
        await release.wait()
        return web.Response(text="1")

    async with serve_lengths(answer_when_released) as port:
        busy = [await send(port, REQUEST) for _ in range(2)]
        for _ in busy:
            await started.acquire()
        assert await is_closed(await send(port, REQUEST))
        release.set()
        assert [(await read_answer(each))[-1:] for each in busy] == [b"1"] * 2


@pytest.mark.parametrize("limit", [64, 256, 1024, 65_536])
def test_the_cap_leaves_files_for_the_databases(limit: int) -> None:
    assert 0 < connection_cap(limit) < limit


async def test_T25_a_compressed_body_is_not_unpacked() -> None:
    packed = gzip.compress(bytes(60_000_000))
    async with serve_lengths() as port, ClientSession() as client:
        headers = {"Content-Encoding": "gzip"}
        async with client.post(f"http://127.0.0.1:{port}/", data=packed, headers=headers) as answer:
            assert await answer.text() == str(len(packed))
