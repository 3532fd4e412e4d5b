"""Pre-built HTTP/1.1 200 response, written in one call without aiohttp's header code."""

import asyncio

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from aiohttp.web_request import BaseRequest

from gateway.http.strict_responses import STRICT_HEADERS

_STRICT_LINES = "".join(f"{name}: {value}\r\n" for name, value in STRICT_HEADERS.items()).encode()
_RESPONSE_FORMAT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\nDate: %b\r\n"
    + _STRICT_LINES.replace(b"%", b"%%")
    + b"\r\n%b"
)


class FastResponse(web.Response):
    """A 200 response with a short body, written directly to the transport of a keep-alive connection.

    aiohttp builds the headers of each response again, which costs a twelfth of a turn. Other connections
    (HTTP/1.0, `Connection: close`, a client that has disconnected) are left to aiohttp.
    """

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__(body=body, headers={"Content-Type": content_type})
        self._raw_body = body
        self._raw_transport: asyncio.Transport | None = None

    @property
    def keep_alive(self) -> bool | None:
        """Return True for a directly written response; aiohttp asks once the response is written."""
        return super().keep_alive if self._raw_transport is None else True

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Choose direct writing or aiohttp; nothing is sent before `write_eof`."""
        if request.version != HttpVersion11 or not request.keep_alive:
            return await super().prepare(request)
        self._raw_transport = request.transport
        return None if self._raw_transport else await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Write head and body to the transport."""
        if self._raw_transport is None:
            return await super().write_eof(data)
        kind, date = self.headers["Content-Type"], rfc822_formatted_time()
        self._raw_transport.write(
            _RESPONSE_FORMAT % (kind.encode(), len(self._raw_body), date.encode(), self._raw_body)
        )
        return None
