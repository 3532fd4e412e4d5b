"""Connection limits: a cap on open connections, and a time limit for request heads and silent sockets."""

import asyncio
import logging
import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import ClassVar

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

log = logging.getLogger("dialtree.server")
HEAD_SECONDS = 5.0
"""Time limit for the head of a request, and for a new connection that sends nothing (threat T25)."""
RESERVED_FILES = 200
"""File descriptors kept for everything but client connections: databases, Redis, providers, logs."""
WANTED_FILES = 65_536
"""Soft limit of open files to ask for; the hard limit caps it."""


def raise_file_limit(wanted: int = WANTED_FILES) -> int:
    """Raise this process's soft limit of open files as far as the hard limit permits; return the new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # a container may forbid it: the cap then follows the old limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connection_cap(file_limit: int) -> int:
    """Return how many connections one listener may hold, below the limit of open files."""
    return max(file_limit - RESERVED_FILES, file_limit // 2)


class LimitedConnection(RequestHandler):
    """aiohttp's connection with a time limit for heads; refuses connections beyond the cap.

    aiohttp bounds neither the time a head takes nor the number of connections. The timer is armed when a
    connection opens and when part of a head has arrived; a whole head in one piece costs no timer.
    """

    __slots__ = ("_cap", "_head_timer", "_server")
    cap_logged_at: ClassVar[float] = float("-inf")
    """Event-loop time of the last log line about the cap: one a minute at most."""

    def __init__(
        self, server: web.Server, cap: int, loop: asyncio.AbstractEventLoop, **options: object
    ) -> None:
        super().__init__(server, loop=loop, **options)  # type: ignore[arg-type]
        self._server = server
        self._cap = cap
        self._head_timer: asyncio.TimerHandle | None = None

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way or waits for its turn."""
        return self._current_request is not None or bool(self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection; at the cap the longest idle one makes room, or this one is aborted."""
        super().connection_made(transport)
        if len(self._server._connections) > self._cap:
            self._log_cap()
            oldest_idle = next((each for each in self._server._connections if _is_idle(each, self)), self)
            _abort(oldest_idle)
        self._arm_timer()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; start the timer when a head is incomplete, stop it when it is whole."""
        parsed_before = self._request_count
        super().data_received(data)
        if self._request_count > parsed_before or self._current_request is not None:
            self._stop_timer()
        elif self._head_timer is None:
            self._arm_timer()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer an unreadable request, or one whose handler failed, with its status in words and close.

        aiohttp's own page repeats bytes of the request, and its log writes a stack for each of them.
        """
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("server.request_failed", exc_info=exc, extra={"failure": type(exc).__name__})
        if request.writer.output_size > 0:
            raise ConnectionError("part of the response is sent already")
        response = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n")
        response.force_close()
        return response

    def _arm_timer(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_SECONDS, _abort, self)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _log_cap(self) -> None:
        now = self._loop.time()
        if now - LimitedConnection.cap_logged_at > 60:
            LimitedConnection.cap_logged_at = now
            log.error("server.connection_cap_reached", extra={"count": self._cap})


def _is_idle(connection: RequestHandler, newest: RequestHandler) -> bool:
    """Return whether a connection waits for its next request."""
    is_busy = isinstance(connection, LimitedConnection) and connection.is_answering
    return connection is not newest and not is_busy


def _abort(connection: RequestHandler) -> None:
    """Close a connection at once, whatever it still had to send."""
    if connection.transport is not None:
        connection.transport.abort()


def connection_factory(
    server: web.Server, cap: int, make_connection: Callable[..., LimitedConnection] = LimitedConnection
) -> "partial[LimitedConnection]":
    """Return the protocol factory of a listener whose connections are limited."""
    return partial(make_connection, server, cap, server._loop, **server._kwargs)
