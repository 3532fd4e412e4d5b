"""Serve an aiohttp application on a port while a context manager is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

DRAIN_SECONDS = 10.0
"""Time requests in progress may still take at shutdown."""
KEEP_ALIVE_SECONDS = 75.0


@asynccontextmanager
async def serve_app(
    app: web.Application, host: str, port: int, *, share_port: bool = False
) -> AsyncIterator[int]:
    """Serve an application and yield its port.

    aiohttp's access log is off: turns have a record of their own.

    `share_port` sets SO_REUSEPORT: other processes may listen on the port and the kernel spreads connections.
    """
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=DRAIN_SECONDS
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, reuse_port=share_port or None)
    try:
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
