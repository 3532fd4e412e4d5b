"""Reply: the answer to a webhook, written in one piece."""

import asyncio

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from aiohttp.web_request import BaseRequest

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\nDate: %b\r\n\r\n%b"


class OnePiece(web.Response):
    """A 200 with a short body, in aiohttp's stead where the connection is an ordinary HTTP/1.1 one.

    aiohttp puts together the headers of each response anew, which costs a twelfth of a turn. Whatever
    is not ordinary (HTTP/1.0, a client that closes, one that has gone) is left to it.
    """

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__(body=body, headers={"Content-Type": content_type})
        self._words = body
        self._line: asyncio.Transport | None = None

    @property
    def keep_alive(self) -> bool | None:
        """As aiohttp's, who asks once the response is written."""
        return super().keep_alive if self._line is None else True

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Look whether this is an ordinary connection; nothing is sent before `write_eof`."""
        if request.version != HttpVersion11 or not request.keep_alive:
            return await super().prepare(request)
        self._line = request.transport
        return None if self._line else await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it."""
        if self._line is None:
            return await super().write_eof(data)
        kind, date = self.headers["Content-Type"], rfc822_formatted_time()
        self._line.write(_HEAD % (kind.encode(), len(self._words), date.encode(), self._words))
        return None
