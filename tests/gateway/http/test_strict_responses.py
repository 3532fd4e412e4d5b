"""Every response has the strict headers and no banner: answers, errors, unreadable requests, both listeners."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway.http.listening import serve_app
from gateway.http.strict_responses import STRICT_HEADERS
from gateway.server.app import public_app
from gateway.server.health import Health
from gateway.server.internal_listener import build_internal_app
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox

BODY = "sessionId=s&phoneNumber=%2B40740000101&text="
REQUESTS = {
    "a USSD answer": f"POST /hooks/orange-ro/africastalking/{HOOK_TOKEN}/ussd HTTP/1.1\r\nHost: x\r\n"
    f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}",
    "the same without keep-alive": f"POST /hooks/orange-ro/africastalking/{HOOK_TOKEN}/ussd HTTP/1.0\r\n"
    f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}",
    "a wrong token": "POST /hooks/orange-ro/africastalking/no/ussd HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown path": "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n",
    "a wrong method": "DELETE /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
    "a page": "GET /orange-ro/bill HTTP/1.1\r\nHost: x\r\n\r\n",
    "a script": "GET /assets/page.css HTTP/1.1\r\nHost: x\r\n\r\n",
    "the description": "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unreadable head": "GET / HTTP/1.1\r\nplanted bytes without a colon\r\n\r\n",
    "no HTTP": "\x16\x03\x01planted\r\n\r\n",
    "a long line": f"GET /{'planted' * 2000} HTTP/1.1\r\n\r\n",
    "an expectation": "POST / HTTP/1.1\r\nHost: x\r\nExpect: the-impossible\r\nContent-Length: 1\r\n\r\n",
    "two lengths": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "metrics": "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "readiness": "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
}
INTERNAL = ("metrics", "readiness", "an unreadable head", "an unknown path")


@pytest.fixture
async def public_port(sandbox: GatewaySandbox) -> AsyncIterator[int]:
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port:
        yield port


@pytest.fixture
async def internal_port(sandbox: GatewaySandbox) -> AsyncIterator[int]:
    app = build_internal_app(sandbox.container, Health(sandbox.container))
    async with serve_app(app, "127.0.0.1", 0) as port:
        yield port


async def exchange(port: int, request: str) -> str:
    """Send raw bytes and return what comes back before the pause or the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode("latin-1"))
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
    body = (await reader.readexactly(length)).decode("latin-1")
    writer.close()
    return head + body


def assert_strict(answer: str) -> None:
    head = answer.partition("\r\n\r\n")[0].lower()
    assert head.startswith("http/1.")
    assert "server:" not in head and "aiohttp" not in answer.lower() and "planted" not in answer
    assert not [name for name in STRICT_HEADERS if head.count(f"\r\n{name.lower()}: ") != 1]


@pytest.mark.parametrize("name", REQUESTS)
async def test_an_answer_has_strict_headers_and_no_banner(public_port: int, name: str) -> None:
    assert_strict(await exchange(public_port, REQUESTS[name]))


@pytest.mark.parametrize("name", INTERNAL)
async def test_the_internal_listener_has_them_too(internal_port: int, name: str) -> None:
    assert_strict(await exchange(internal_port, REQUESTS[name]))


async def test_a_handler_that_fails_answers_with_them() -> None:
    async def fail(request: web.Request) -> web.Response:
        raise RuntimeError("planted")

    app = web.Application()
    app.router.add_get("/", fail)
    async with serve_app(app, "127.0.0.1", 0) as port:
        answer = await exchange(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith("HTTP/1.1 500 ")
    assert_strict(answer)
