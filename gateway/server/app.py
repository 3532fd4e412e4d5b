"""The HTTP side: the public listener of webhooks and pages, the internal one of health and metrics."""

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
"""The internal listener's distance from the public one: 9090 beside 8080."""
READY_SECONDS = 1.0
"""Records that do not answer a small question in this time are out."""


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
            async with asyncio.timeout(READY_SECONDS):
                await self.house.outbox.show(0)
        except (Failure, TimeoutError):
            return False
        return True


def public(house: House) -> web.Application:
    """The app providers and subscribers reach."""
    app = web.Application(client_max_size=64 * 1024)
    app.router.add_post(webhooks.PATH, house.hooks.handle)  # first: the router tries one after the other
    app.router.add_post(bss_events.PATH, house.listener.handle)
    app.router.add_get("/openapi.json", _openapi(house))
    recordings = prompts.Prompts(house.conversations.shelf, house.settings.operators.keys())
    app.router.add_get(prompts.PATH, recordings.serve)
    app.add_routes(_pages(house).routes())
    return app


def _pages(house: House) -> Pages:
    """What subscribers open in a browser; only who serves them needs what draws their documents."""
    conversations, settings = house.conversations, house.settings
    secret, tallies = Secret(settings.secret_key.get_secret_value()), conversations.manners.tallies
    source = client_address.sources(house.hooks.guard.proxies)
    return Pages(conversations.shelf, conversations.people, secret, settings.public_url, tallies, source)


def internal(house: House, health: Health) -> web.Application:
    """The app only the platform reaches."""

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
    """Once everything is loaded: what will live as long as the process is not looked through again.

    A turn leaves no cycles behind, so the collector may come by a hundred times more rarely.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 10, 10)


@dataclass(frozen=True, slots=True)
class Part:
    """What one process does of serving."""

    deliver: bool = False
    """Does it deliver what is due, too? Otherwise `dialtree worker` does."""
    member: int | None = None
    """Its number among several on one port; None when it is alone."""


async def serve(
    house: House,
    part: Part,
    mount: Callable[[web.Application], None] | None = None,
    served: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then turn red, finish what is under way, and return.

    A delivery that breaks ends it the same way, and is raised at the end: who runs us starts us again.
    `mount` adds to the public app; `served` is called once it can be reached.
    """
    settle_memory()
    settings, health, stopped = house.settings, Health(house), _told_to_stop()
    if part.member is not None:
        _stop_with_parent(stopped)
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
        await _either(stopped, worker)
        health.draining = True
        house.delivery.stop()
        await asyncio.sleep(settings.red_seconds)
        if worker:
            await worker


async def deliver(house: House) -> None:
    """Deliver, and keep the records in order meanwhile."""
    beside = [asyncio.create_task(each) for each in (house.upkeep.run(), house.database.listen())]
    try:
        await house.delivery.run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


def internal_port(house: House, part: Part) -> int:
    """Where health and metrics are: each process of a group has its own, one above the other."""
    settings = house.settings
    port = settings.internal_port
    if port is None:
        port = (settings.port + INTERNAL_ABOVE) % 65536 if settings.port else 0
    return port + (part.member or 0) if port else 0


async def work(house: House) -> None:
    """Deliver until SIGTERM or SIGINT; what is under way is finished."""
    stopped = _told_to_stop()
    worker = asyncio.create_task(deliver(house))
    await _either(stopped, worker)
    house.delivery.stop()
    await worker


async def _either(stopped: asyncio.Event, worker: asyncio.Task[None] | None) -> None:
    """Wait until we are told to stop, or until delivery ends by itself, which is never well."""
    stopping = asyncio.create_task(stopped.wait())
    waiting = {stopping, worker} if worker else {stopping}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def _told_to_stop() -> asyncio.Event:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    return stopped


def _stop_with_parent(stopped: asyncio.Event) -> None:
    """The supervisor holds the other end of our standard input: it closes when the supervisor is gone."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def gone() -> None:
        if not os.read(stdin, 1024):
            loop.remove_reader(stdin)
            stopped.set()

    loop.add_reader(stdin, gone)
