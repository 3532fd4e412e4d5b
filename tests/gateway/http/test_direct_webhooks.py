"""Webhooks answered on the connection: order, shutdown, limits, failures and headers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from gateway.http import direct_webhooks, listening
from gateway.http.direct_webhooks import DirectWebhooks
from gateway.http.listening import DIRECT_WEBHOOKS, serve_app
from gateway.http.routed_webhooks import WEBHOOK_PATH, routed_handler
from gateway.http.webhook_messages import WebhookAnswer, WebhookRequest
from tests.support.raw_http import Connect, raw_post, read_answer
from tests.support.raw_http import connect as connect


@asynccontextmanager
async def serve_direct(answer: Callable[[WebhookRequest], Awaitable[WebhookAnswer]]) -> AsyncIterator[int]:
    """Serve an application whose every path of three parts behind `/hooks` is a webhook, either way."""
    app = web.Application()
    app.router.add_post(WEBHOOK_PATH, routed_handler(answer))
    app[DIRECT_WEBHOOKS] = DirectWebhooks(lambda operator, provider, tail: True, answer)
    async with serve_app(app, "127.0.0.1", 0) as port:
        yield port


async def echo_body(request: WebhookRequest) -> WebhookAnswer:
    return WebhookAnswer(await request.read_body())


def numbered(number: int) -> bytes:
    return b"".join(raw_post("/hooks/a/b/c", b"n=%d" % number))


async def test_a_connection_serves_one_request_after_the_other(connect: Connect) -> None:
    async with serve_direct(echo_body) as port:
        reader, writer = await connect(port)
        for number in range(3):
            writer.write(numbered(number))
            status, _, body = await read_answer(reader)
            assert (status, body) == (b"HTTP/1.1 200 OK", b"n=%d" % number)


async def test_requests_that_arrive_meanwhile_are_answered_in_their_order(connect: Connect) -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    async def answer_late(request: WebhookRequest) -> WebhookAnswer:
        begun.set()
        await release.wait()
        return await echo_body(request)

    async with serve_direct(answer_late) as port:
        reader, writer = await connect(port)
        writer.write(numbered(1))
        await begun.wait()
        for number in (2, 3):
            writer.write(numbered(number))
            await writer.drain()
        release.set()
        assert [(await read_answer(reader))[2] for _ in range(3)] == [b"n=1", b"n=2", b"n=3"]


async def test_a_failing_handler_answers_500_and_closes(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: WebhookRequest) -> WebhookAnswer:
        raise RuntimeError("+40740000101")

    async with serve_direct(fail) as port:
        reader, writer = await connect(port)
        with caplog.at_level(logging.ERROR):
            writer.write(numbered(1))
            status, _, body = await read_answer(reader)
        assert (status, body) == (b"HTTP/1.1 500 Internal Server Error", b"Internal Server Error\n")
        assert await reader.read() == b""
    assert [record.message for record in caplog.records] == ["server.request_failed"]


async def test_shutdown_waits_for_the_request_under_way(connect: Connect) -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    async def answer_late(request: WebhookRequest) -> WebhookAnswer:
        begun.set()
        await release.wait()
        return WebhookAnswer(b"late")

    server = serve_direct(answer_late)
    reader, writer = await connect(await server.__aenter__())
    writer.write(numbered(1))
    await begun.wait()
    ending = asyncio.ensure_future(server.__aexit__(None, None, None))
    await asyncio.sleep(0.05)
    assert not ending.done()
    release.set()
    assert (await read_answer(reader))[2] == b"late"
    assert await reader.read() == b""
    await ending


async def test_an_idle_connection_ends_and_a_busy_one_does_not(
    monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(listening, "KEEP_ALIVE_SECONDS", 0.1)

    async def answer_late(request: WebhookRequest) -> WebhookAnswer:
        await asyncio.sleep(0.35)
        return WebhookAnswer(b"late")

    async with serve_direct(answer_late) as port:
        reader, writer = await connect(port)
        writer.write(numbered(1))
        assert (await read_answer(reader))[2] == b"late"
        async with asyncio.timeout(10):
            assert await reader.read() == b""


async def test_a_client_that_reads_nothing_is_not_served_on(connect: Connect) -> None:
    served = 0

    async def answer_much(request: WebhookRequest) -> WebhookAnswer:
        nonlocal served
        served += 1
        return WebhookAnswer(b"x" * 1_000_000)

    async with serve_direct(answer_much) as port:
        reader, writer = await connect(port)
        for number in range(100):
            writer.write(numbered(number))
            await asyncio.sleep(0.01)
        assert served < 50
        for _ in range(100):
            assert len((await read_answer(reader))[2]) == 1_000_000
        assert served == 100


async def test_held_requests_are_limited(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    monkeypatch.setattr(direct_webhooks, "MAX_HELD_BYTES", 100)
    release = asyncio.Event()

    async def answer_late(request: WebhookRequest) -> WebhookAnswer:
        await release.wait()
        return await echo_body(request)

    async with serve_direct(answer_late) as port:
        reader, writer = await connect(port)
        for number in range(30):
            writer.write(numbered(number))
            await writer.drain()
            await asyncio.sleep(0)
        release.set()
        assert [(await read_answer(reader))[2] for _ in range(30)] == [b"n=%d" % n for n in range(30)]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\nb"])
async def test_a_header_value_never_starts_a_line(value: str, connect: Connect) -> None:
    async def answer_split(request: WebhookRequest) -> WebhookAnswer:
        return WebhookAnswer(b"", headers={"X-Note": value})

    async with serve_direct(answer_split) as port:
        reader, writer = await connect(port)
        writer.write(numbered(1))
        status, headers, _ = await read_answer(reader)
        assert status.startswith(b"HTTP/1.1 500") and "Set-Cookie" not in headers


async def test_an_answers_own_header_wins_over_the_strict_one(connect: Connect) -> None:
    async def answer_cached(request: WebhookRequest) -> WebhookAnswer:
        return WebhookAnswer(b"", headers={"cache-control": "private", "Freeflow": "FC"})

    async with serve_direct(answer_cached) as port:
        reader, writer = await connect(port)
        writer.write(numbered(1))
        _, headers, _ = await read_answer(reader)
        assert headers["cache-control" if "cache-control" in headers else "Cache-Control"] == "private"
        assert headers["Freeflow"] == "FC" and headers["X-Frame-Options"] == "DENY"


async def test_T25_a_busy_connection_is_never_closed_for_a_new_one(
    monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(listening, "connection_cap", lambda limit: 1)
    release, begun = asyncio.Event(), asyncio.Event()

    async def answer_late(request: WebhookRequest) -> WebhookAnswer:
        begun.set()
        await release.wait()
        return WebhookAnswer(b"late")

    async with serve_direct(answer_late) as port:
        reader, writer = await connect(port)
        writer.write(numbered(1))
        await begun.wait()
        other, _ = await connect(port)
        with suppress(ConnectionError):
            assert await other.read() == b""
        release.set()
        assert (await read_answer(reader))[2] == b"late"
