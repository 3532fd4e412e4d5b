"""Serving: an app on a port, for as long as a block runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

DRAIN_SECONDS = 10.0
"""What requests under way may still take when it ends."""
KEEP_ALIVE_SECONDS = 75.0


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int, *, shared: bool = False) -> AsyncIterator[int]:
    """Serve an app; yields the port it got. aiohttp's access log stays off: turns have their own line.

    `shared` lets other processes listen on the same port: the kernel deals out connections.
    """
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=DRAIN_SECONDS
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, reuse_port=shared or None)
    try:
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
