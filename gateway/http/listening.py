"""Serve an aiohttp application on a port while a context manager is open."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from errno import EADDRINUSE
from functools import partial

from aiohttp import web

from gateway.http.connection_limits import (
    LimitedConnection,
    connection_cap,
    connection_factory,
    raise_file_limit,
)
from gateway.http.direct_webhooks import DirectWebhooks, WebhookConnection
from gateway.http.strict_responses import StrictRequest
from menus.model.user_error import UserError

DRAIN_SECONDS = 10.0
"""Time requests in progress may still take at shutdown."""
KEEP_ALIVE_SECONDS = 75.0
BACKLOG = 128
"""Connections the kernel holds until they are accepted."""
DIRECT_WEBHOOKS = web.AppKey("direct_webhooks", DirectWebhooks)
"""Application key: set, its webhooks are answered by the connections themselves."""


class PortTakenError(UserError):
    """The port cannot be bound; the message names the setting."""


@contextmanager
def name_taken_port(setting: str, host: str, port: int) -> Iterator[None]:
    """Translate the failure to bind a port into PortTakenError, which names the setting."""
    try:
        yield
    except OSError as error:
        reason = "in use" if error.errno == EADDRINUSE else f"not available ({os.strerror(error.errno or 0)})"
        raise PortTakenError(f"{setting}: port {port} of {host} is {reason}; set another one") from error


def require_free_port(host: str, port: int, setting: str = "PORT") -> None:
    """Raise PortTakenError if the port cannot be bound now, before a start that takes seconds."""
    with name_taken_port(setting, host, port), socket.create_server((host, port)):
        pass


@asynccontextmanager
async def serve_app(
    app: web.Application, host: str, port: int, *, share_port: bool = False, port_setting: str = "PORT"
) -> AsyncIterator[int]:
    """Serve an application and yield its port.

    aiohttp's access log is off: turns have a record of their own.

    Raises PortTakenError when another process listens there; `port_setting` is the setting its message names.
    `share_port` sets SO_REUSEPORT: other processes may listen on the port and the kernel spreads connections.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        shutdown_timeout=DRAIN_SECONDS,
        auto_decompress=False,  # no provider compresses, and unpacking would stall the event loop
    )
    await runner.setup()
    try:
        with name_taken_port(port_setting, host, port):
            listener = await _listen(runner, app, host, port, share_port=share_port)
        try:
            yield int(listener.sockets[0].getsockname()[1])
        finally:
            listener.close()
    finally:
        await runner.cleanup()


async def _listen(
    runner: web.AppRunner, app: web.Application, host: str, port: int, *, share_port: bool
) -> asyncio.Server:
    """Open the listener: its connections are limited in number and time, its responses have strict headers."""
    server = runner.server
    if server is None:
        raise RuntimeError("the application is not set up")
    server.request_factory = partial(app._make_request, _cls=StrictRequest)
    direct = app.get(DIRECT_WEBHOOKS)
    make_connection = partial(WebhookConnection, direct) if direct else LimitedConnection
    factory = connection_factory(server, connection_cap(raise_file_limit()), make_connection)
    loop = asyncio.get_running_loop()
    return await loop.create_server(factory, host, port, backlog=BACKLOG, reuse_port=share_port or None)
