"""Webhooks answered on the connection itself, without aiohttp's router, request and second task.

aiohttp parses every request. One that arrived in one piece, on a connection with nothing else under way,
for a path that names a webhook, is handed to the webhook handler as it is: that leaves out a third of the
instructions of a turn. Everything else takes aiohttp's way: other paths and methods, bodies that follow later,
pipelined requests, HTTP/1.0, `Connection: close`, `Expect`, content encodings, escaped paths.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

from gateway.http.connection_limits import LimitedConnection
from gateway.http.decoding import MAX_BODY_BYTES
from gateway.http.routed_webhooks import AnswerWebhook
from gateway.http.strict_responses import STRICT_HEADERS
from gateway.http.webhook_messages import WebhookAnswer, WebhookRequest

log = logging.getLogger("dialtree.server")
MAX_HELD_BYTES = 64 * 1024
"""Bytes of further requests kept while one is answered; beyond it nothing more is read from the connection."""
_STRICT_LINES = "".join(f"{name}: {value}\r\n" for name, value in STRICT_HEADERS.items())
_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n" for each in HTTPStatus}
IsWebhook = Callable[[str, str, str], bool]
"""Tells whether operator, provider and path tail name a webhook without path parameters."""


class DirectWebhooks:
    """What a connection needs to answer webhooks itself."""

    __slots__ = ("answer_webhook", "is_webhook")

    def __init__(self, is_webhook: IsWebhook, answer_webhook: AnswerWebhook) -> None:
        self.is_webhook = is_webhook
        self.answer_webhook = answer_webhook

    def read_request(
        self, message: RawRequestMessage, payload: StreamReader, remote: str | None
    ) -> WebhookRequest | None:
        """Return the request when the connection may answer it itself; None leaves it to aiohttp."""
        if message.method != "POST" or message.version != HttpVersion11 or message.should_close:
            return None
        if not payload.is_eof() or payload.total_bytes > MAX_BODY_BYTES or type(payload) is not StreamReader:
            return None
        headers = message.headers
        if hdrs.EXPECT in headers or hdrs.CONTENT_ENCODING in headers or hdrs.UPGRADE in headers:
            return None
        names = self._split_path(message.path.partition("?")[0])
        if names is None:
            return None
        body = b"".join(payload._buffer)

        async def read_body() -> bytes:
            return body

        return WebhookRequest(*names, "POST", message.path, headers, remote, read_body)

    def _split_path(self, path: str) -> tuple[str, str, str] | None:
        """Return operator, provider and tail of a webhook's path, as aiohttp's router would."""
        segments = path.split("/", 4)
        if len(segments) != 5 or "%" in path or "#" in path:
            return None
        _, _, operator, provider, tail = segments
        return (operator, provider, tail) if self.is_webhook(operator, provider, tail) else None


class WebhookConnection(LimitedConnection):
    """A connection that answers webhooks itself and leaves all other requests to aiohttp."""

    __slots__ = ("_direct", "_direct_task", "_held")

    def __init__(self, direct: DirectWebhooks, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._direct = direct
        self._direct_task: asyncio.Task[None] | None = None
        self._held = bytearray()

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way."""
        return self._direct_task is not None or super().is_answering

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; answer a webhook at once, wake aiohttp's loop for anything else."""
        if self._direct_task is not None:
            self._hold(data)
            return
        waiter = self._waiter
        if waiter is None or self._messages or not data.startswith(b"POST /hooks/"):
            super().data_received(data)
            return
        self._waiter = None  # keeps aiohttp's loop asleep until it is known whose request this is
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        request = self._take_request()
        if request is not None:
            self._direct_task = self._loop.create_task(self._answer(request))
        elif self._messages and not waiter.done():
            waiter.set_result(None)

    def _take_request(self) -> WebhookRequest | None:
        """Take the one parsed request out of aiohttp's queue; None when it is not ours to answer."""
        if len(self._messages) != 1 or self._upgraded:
            return None
        message, payload = self._messages[0]
        if not isinstance(message, RawRequestMessage):
            return None
        peer = self.peername
        remote = peer[0] if isinstance(peer, tuple) else peer
        request = self._direct.read_request(message, payload, remote)
        if request is not None:
            self._messages.clear()
            self._count_request()
        return request

    def _count_request(self) -> None:
        """Tell aiohttp's parser, server and shutdown about the request taken from them."""
        if self._parser is not None and self._manager is not None:
            self._parser.message_consumed()
            self._manager.requests_count += 1
        self._request_in_progress = True  # its shutdown then waits for `_handler_waiter`

    async def _answer(self, request: WebhookRequest) -> None:
        """Answer a request, then let what was held meanwhile follow."""
        try:
            await self._write(await self._direct.answer_webhook(request))
        except ConnectionError:
            self.force_close()
        except Exception as error:
            log.error("server.request_failed", exc_info=error, extra={"failure": type(error).__name__})
            with suppress(ConnectionError):
                await self._write(WebhookAnswer(b"Internal Server Error\n", status=500))
            self.force_close()
        finally:
            self._end_request()
        self._release_held()

    def _end_request(self) -> None:
        """Wait for the next request, or close when the server shuts down."""
        self._direct_task = None
        self._request_in_progress = False
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        if self._close:
            self.force_close()

    async def _write(self, answer: WebhookAnswer) -> None:
        """Write an answer, waiting for a slow reader; ConnectionError when the client is gone."""
        if answer.acknowledgement is None:
            return await self._write_bytes(answer)
        async with answer.acknowledgement:
            return await self._write_bytes(answer)

    async def _write_bytes(self, answer: WebhookAnswer) -> None:
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.transport.write(_response_bytes(answer))
        if self._paused:
            await self._drain_helper()

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > MAX_HELD_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def _release_held(self) -> None:
        if self._held and self.transport is not None:
            held, self._held = bytes(self._held), bytearray()
            self.transport.resume_reading()
            self.data_received(held)

    def _process_keepalive(self) -> None:
        """Close an idle connection; one whose request is under way is looked at again later."""
        if self._direct_task is None:
            super()._process_keepalive()
            return
        again = self._loop.time() + self._keepalive_timeout
        self._keepalive_handle = self._loop.call_at(again, self._process_keepalive)


def _response_bytes(answer: WebhookAnswer) -> bytes:
    """Return the whole HTTP response."""
    head = (
        f"{_STATUS_LINES[answer.status]}Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nDate: {rfc822_formatted_time()}\r\n"
        f"{_further_lines(answer.headers) if answer.headers else _STRICT_LINES}\r\n"
    )
    return head.encode() + answer.body


def _further_lines(headers: Mapping[str, str]) -> str:
    """Return the strict headers and these, which win; ValueError for a line break in a value."""
    merged = CIMultiDict(STRICT_HEADERS)
    merged.update(headers)
    if any("\r" in value or "\n" in value for value in merged.values()):
        raise ValueError("a header value has a line break")
    return "".join(f"{name}: {value}\r\n" for name, value in merged.items())
