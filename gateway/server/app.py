"""aiohttp applications (public and internal listener), health checks and process lifecycle."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from flows.domain.failures import Failure
from flows.domain.records import Secret
from gateway.http import bss_events, client_address, webhooks
from gateway.http import recordings as prompts
from gateway.http.listening import listening
from gateway.pages.routes import Pages
from gateway.server.openapi import document
from gateway.wiring.container import House

log = logging.getLogger("dialtree.server")
Handler = Callable[[web.Request], Awaitable[web.Response]]
INTERNAL_ABOVE = 1010
"""Default distance of the internal port from the public one: 9090 for 8080."""
READY_SECONDS = 1.0
"""Readiness fails when the database does not answer a small query in this time."""


@dataclass(slots=True)
class Health:
    """Readiness of this process."""

    house: House = field(repr=False)
    draining: bool = False

    async def ready(self) -> bool:
        """Return whether the process may receive traffic: not draining, and the database answers."""
        if self.draining:
            return False
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.house.outbox.show(0)
        except (Failure, TimeoutError):
            return False
        return True


def public(house: House) -> web.Application:
    """Build the application that providers and subscribers reach."""
    app = web.Application(client_max_size=64 * 1024)
    app.router.add_post(webhooks.PATH, house.hooks.handle)  # first: routes are tried in order
    app.router.add_post(bss_events.PATH, house.listener.handle)
    app.router.add_get("/openapi.json", _openapi(house))
    recordings = prompts.Prompts(house.conversations.shelf, house.settings.operators.keys())
    app.router.add_get(prompts.PATH, recordings.serve)
    app.add_routes(_pages(house).routes())
    return app


def _pages(house: House) -> Pages:
    """Build the subscriber pages; only processes that serve them load the document renderers."""
    conversations, settings = house.conversations, house.settings
    secret, tallies = Secret(settings.secret_key.get_secret_value()), conversations.manners.tallies
    source = client_address.sources(house.hooks.guard.proxies)
    return Pages(conversations.shelf, conversations.people, secret, settings.public_url, tallies, source)


def internal(house: House, health: Health) -> web.Application:
    """Build the application for the platform: /healthz, /readyz and /metrics."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        ready = await health.ready()
        return web.Response(text="ready\n" if ready else "not ready\n", status=200 if ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        await house.counting.look(house.outbox, house.hooks.now())
        return web.Response(
            body=house.hooks.metrics.page(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


def _openapi(house: House) -> Handler:
    text = document(house.hooks.doors, house.settings.operators.keys())

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    return openapi


def settle_memory() -> None:
    """Tune the garbage collector after start: freeze long-lived objects, collect 100 times less often.

    A turn leaves no reference cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 10, 10)


@dataclass(frozen=True, slots=True)
class Part:
    """What one process of the gateway does."""

    deliver: bool = False
    """Whether it also delivers the outbox; otherwise `dialtree worker` does."""
    member: int | None = None
    """Number of the process among several on one port; None when there is only one."""


async def serve(
    house: House,
    part: Part,
    mount: Callable[[web.Application], None] | None = None,
    served: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then fail readiness, drain (graceful shutdown) and return.

    If the outbox worker fails, the process drains the same way and raises the error at the end, so that
    its supervisor restarts it. `mount` adds routes to the public application; `on_ready` is called once
    both listeners accept connections.
    """
    settle_memory()
    settings, health, stop = house.settings, Health(house), _told_to_stop()
    if part.member is not None:
        _stop_with_parent(stop)
    shared = part.member is not None
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            listening(internal(house, health), settings.internal_host, internal_port(house, part))
        )
        app = public(house)
        if mount:
            mount(app)
        public_side = listening(app, settings.host, settings.port, shared=shared)
        await stack.enter_async_context(public_side)
        if served:
            served()
        worker = asyncio.create_task(deliver(house)) if part.deliver else None
        await _either(stop, worker)
        health.draining = True
        house.delivery.stop()
        await asyncio.sleep(settings.red_seconds)
        if worker:
            await worker


async def deliver(house: House) -> None:
    """Run the outbox worker, with maintenance and database wake-ups beside it."""
    background = [asyncio.create_task(each) for each in (house.upkeep.run(), house.database.listen())]
    try:
        await house.delivery.run()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


def internal_port(house: House, part: Part) -> int:
    """Return the port of health and metrics; the processes of a group count up from the first."""
    settings = house.settings
    port = settings.internal_port
    if port is None:
        port = (settings.port + INTERNAL_ABOVE) % 65536 if settings.port else 0
    return port + (part.member or 0) if port else 0


async def work(house: House) -> None:
    """Deliver the outbox until SIGTERM or SIGINT; sends under way are finished."""
    stop = _told_to_stop()
    worker = asyncio.create_task(deliver(house))
    await _either(stop, worker)
    house.delivery.stop()
    await worker


async def _either(stopped: asyncio.Event, worker: asyncio.Task[None] | None) -> None:
    """Wait for the stop event or for the outbox worker to end, which only a failure makes it do."""
    stopping = asyncio.create_task(stopped.wait())
    waiting = {stopping, worker} if worker else {stopping}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def _told_to_stop() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop


def _stop_with_parent(stopped: asyncio.Event) -> None:
    """Set the stop event when stdin closes: the supervisor holds the other end of the pipe."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def on_stdin_readable() -> None:
        if not os.read(stdin, 1024):
            loop.remove_reader(stdin)
            stopped.set()

    loop.add_reader(stdin, on_stdin_readable)
