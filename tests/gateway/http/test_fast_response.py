"""Fast HTTP responses: written in one piece on ordinary connections, otherwise by aiohttp."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import web

from gateway.http.fast_response import FastResponse
from gateway.http.listening import serve_app

WORDS = "CON Bună ziua\n1 Buget".encode()
REQUEST_TEXT = "POST / HTTP/{version}\r\nHost: gw\r\nContent-Length: 0\r\n{more}\r\n"


async def read_answers(
    times: int, version: str = "1.1", more: str = ""
) -> list[tuple[str, dict[str, str], bytes]]:
    """Return the responses of one connection to repeated requests: status line, headers, body."""

    async def handle(request: web.Request) -> web.Response:
        return FastResponse(WORDS, "text/plain; charset=utf-8")

    app = web.Application()
    app.router.add_post("/", handle)
    async with serve_app(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = []
        for _ in range(times):
            writer.write(REQUEST_TEXT.format(version=version, more=more).encode())
            status, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = dict(line.split(": ", 1) for line in rest)
            found.append((status, headers, await reader.readexactly(int(headers["Content-Length"]))))
        if "close" in more or version == "1.0":
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    return found


async def test_an_ordinary_connection_is_answered_again_and_again() -> None:
    for status, headers, body in await read_answers(3):
        assert (status, body) == ("HTTP/1.1 200 OK", WORDS)
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert parsedate_to_datetime(headers["Date"]).tzinfo is not None


@pytest.mark.parametrize(("version", "more"), [("1.0", ""), ("1.1", "Connection: close\r\n")])
async def test_a_closing_client_gets_the_same_response_and_the_end(version: str, more: str) -> None:
    [(status, headers, body)] = await read_answers(1, version, more)
    assert (status, body) == (f"HTTP/{version} 200 OK", WORDS)
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
