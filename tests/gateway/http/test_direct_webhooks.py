"""Webhooks answered on the connection: the same answers as aiohttp's way, and its rules for connections."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlencode

import pytest
from aiohttp import web

from gateway.http import direct_webhooks, listening
from gateway.http.direct_webhooks import DirectWebhooks
from gateway.http.listening import DIRECT_WEBHOOKS, serve_app
from gateway.http.routed_webhooks import WEBHOOK_PATH, routed_handler
from gateway.http.webhook_messages import WebhookAnswer, WebhookRequest
from gateway.server.app import public_app
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

HOOKS = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
VALID = {"sessionId": "s", "serviceCode": "*100#", "phoneNumber": "+40740000101", "networkCode": "1"}
Connect = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def form(text: str = "", **fields: str) -> bytes:
    return urlencode(VALID | {"text": text} | fields).encode()


def post(path: str, body: bytes, headers: str = FORM) -> tuple[bytes, bytes]:
    """Return head and body of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: gw\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode("latin-1"), body


REQUESTS = {
    "home": post(f"{HOOKS}/ussd", form()),
    "a key": post(f"{HOOKS}/ussd", form("1")),
    "the key again": post(f"{HOOKS}/ussd", form("1")),
    "another key": post(f"{HOOKS}/ussd", form("1*1")),
    "charset": post(f"{HOOKS}/ussd", form("9"), FORM.replace("\r\n", "; charset=UTF-8\r\n")),
    "bad charset": post(f"{HOOKS}/ussd", form("9"), FORM.replace("\r\n", "; charset=utf-7\r\n")),
    "no content type": post(f"{HOOKS}/ussd", form(), ""),
    "json for a form": post(f"{HOOKS}/ussd", b"{}", "Content-Type: application/json\r\n"),
    "field twice": post(f"{HOOKS}/ussd", b"text=1&text=2"),
    "nul": post(f"{HOOKS}/ussd", form("%00")),
    "field missing": post(f"{HOOKS}/ussd", b"text=1"),
    "no number": post(f"{HOOKS}/ussd", form(phoneNumber="Orange")),
    "query": post(f"{HOOKS}/ussd?step=1", form()),
    "query twice": post(f"{HOOKS}/ussd?a=1&a=2", form()),
    "fragment": post(f"{HOOKS}/ussd#x", form()),
    "wrong token": post("/hooks/orange-ro/africastalking/guess/ussd", form()),
    "no token": post("/hooks/orange-ro/africastalking/ussd", form()),
    "empty token": post("/hooks/orange-ro/africastalking//ussd", form()),
    "unsigned": post("/hooks/orange-ro/twilio/sms", b"From=%2B40740000101&Body=FACT"),
    "empty token, signed": post("/hooks/orange-ro/twilio//sms", b"From=%2B40740000101&Body=FACT"),
    "two tokens": post(f"{HOOKS}/{HOOK_TOKEN}/ussd", form()),
    "unknown route": post(f"{HOOKS}/nope", form()),
    "unknown operator": post(f"/hooks/nobody/africastalking/{HOOK_TOKEN}/ussd", form()),
    "escaped path": post(f"{HOOKS.replace('orange', '%6frange')}/ussd", form()),
    "escaped slash": post(f"{HOOKS}%2Fussd", form()),
    "encoding": post(f"{HOOKS}/ussd", form(), FORM + "Content-Encoding: gzip\r\n"),
    "encoding identity": post(f"{HOOKS}/ussd", form(), FORM + "Content-Encoding: identity\r\n"),
    "sms": post(
        f"{HOOKS}/sms", urlencode({"from": "+40740000101", "to": "477", "id": "m1", "text": "?"}).encode()
    ),
    "report": post(f"{HOOKS}/sms-report", b"id=x&status=Success"),
    "empty body": post(f"{HOOKS}/ussd", b""),
    "too large": post(f"{HOOKS}/ussd", b"text=" + b"1" * 70_000),
    "get": (f"GET {HOOKS}/ussd HTTP/1.1\r\nHost: gw\r\n\r\n".encode(), b""),
    "put": (f"PUT {HOOKS}/ussd HTTP/1.1\r\nHost: gw\r\nContent-Length: 0\r\n\r\n".encode(), b""),
}


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, dict[str, str], bytes]:
    """Return status line, headers without the date and body."""
    async with asyncio.timeout(10):
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        headers = dict(line.decode().split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers["Content-Length"]))
    del headers["Date"]
    return status, headers, body


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open connections; all are closed at the end."""
    writers = []

    async def open_connection(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield open_connection
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def answer_all(sandbox: GatewaySandbox, connect: Connect, *, is_direct: bool) -> Mapping[str, object]:
    """Return the answers to all requests in turn, with the connections' own way switched on or off."""
    app = public_app(sandbox.container)
    if not is_direct:
        del app[DIRECT_WEBHOOKS]
    answers = {}
    async with serve_app(app, "127.0.0.1", 0) as port:
        for name, (head, body) in REQUESTS.items():
            reader, writer = await connect(port)
            await asyncio.sleep(0)  # the server's side of the connection waits for a request
            writer.write(head + body)
            answers[name] = await read_answer(reader)
    return answers


async def test_both_ways_give_the_same_answers(sandboxes: SandboxFactory, connect: Connect) -> None:
    async with sandboxes.open() as sandbox:
        routed = await answer_all(sandbox, connect, is_direct=False)
    async with sandboxes.open() as sandbox:
        direct = await answer_all(sandbox, connect, is_direct=True)
    assert direct == routed
    assert len({str(answer) for answer in direct.values()}) > 12


async def test_only_whole_posts_to_a_webhook_are_taken(
    sandboxes: SandboxFactory, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    read_request = DirectWebhooks.read_request

    def note(self: DirectWebhooks, message: object, payload: object, remote: object) -> WebhookRequest | None:
        request = read_request(self, message, payload, remote)  # type: ignore[arg-type]
        taken.extend([request.target] if request else [])
        return request

    monkeypatch.setattr(DirectWebhooks, "read_request", note)
    async with sandboxes.open() as sandbox:
        await answer_all(sandbox, connect, is_direct=True)
    assert f"{HOOKS}/ussd" in taken and f"{HOOKS}/sms" in taken
    assert not [path for path in taken if "%" in path or "//" in path or "nobody" in path or "nope" in path]


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
    return b"".join(post("/hooks/a/b/c", b"n=%d" % number))


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
