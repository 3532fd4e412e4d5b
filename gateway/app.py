"""The HTTP side: the public listener of webhooks and pages, the internal one of health and metrics."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from flows.failures import Failure
from gateway.openapi import document
from gateway.wiring import House

log = logging.getLogger("dialtree.server")
Handler = Callable[[web.Request], Awaitable[web.Response]]
DRAIN_SECONDS = 10.0
"""What turns and deliveries under way may still take after SIGTERM."""
KEEP_ALIVE_SECONDS = 75.0


@dataclass(slots=True)
class Health:
    """Whether this process should be sent traffic."""

    house: House = field(repr=False)
    draining: bool = False

    async def ready(self) -> bool:
        """Not stopping, and the records answer."""
        if self.draining:
            return False
        try:
            await self.house.outbox.show(0)
        except Failure:
            return False
        return True


def public(house: House) -> web.Application:
    """The app providers and subscribers reach."""
    app = web.Application(client_max_size=64 * 1024)
    app.router.add_post("/hooks/{operator}/{provider}/{tail:.+}", house.hooks.handle)
    app.router.add_get("/openapi.json", _openapi(house))
    return app


def internal(house: House, health: Health) -> web.Application:
    """The app only the platform reaches."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        ready = await health.ready()
        return web.Response(text="ready\n" if ready else "not ready\n", status=200 if ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(
            body=house.hooks.metrics.page(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


def _openapi(house: House) -> Handler:
    text = document(house.hooks.doors)

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    return openapi


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve an app; yields the port it got. aiohttp's access log stays off: turns have their own line."""
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=DRAIN_SECONDS
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def serve(house: House, *, deliver: bool) -> None:
    """Serve until SIGTERM or SIGINT; then turn red, finish what is under way, and return."""
    settings, health, stopped = house.settings, Health(house), asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            listening(internal(house, health), settings.internal_host, settings.internal_port)
        )
        await stack.enter_async_context(listening(public(house), settings.host, settings.port))
        worker = asyncio.create_task(house.delivery.run()) if deliver else None
        await stopped.wait()
        health.draining = True
        house.delivery.stop()
        if worker:
            await asyncio.wait({worker}, timeout=DRAIN_SECONDS)


async def work(house: House) -> None:
    """Deliver until SIGTERM or SIGINT; what is under way is finished."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, house.delivery.stop)
    await house.delivery.run()
