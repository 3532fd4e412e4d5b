"""Raw HTTP over a socket: requests byte by byte, answers in parts, connections that are closed at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
Connect = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def raw_post(path: str, body: bytes, headers: str = FORM) -> tuple[bytes, bytes]:
    """Return head and body of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: gw\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode("latin-1"), body


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
