"""Internal listener of every role: /healthz, /readyz and /metrics for the platform, on its own port."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from aiohttp import web

from gateway.http.listening import PortTakenError, serve_app
from gateway.server.health import Health
from gateway.settings import Settings
from gateway.wiring.container import Container

log = logging.getLogger("dialtree.server")
SERVER_OFFSET, WORKER_OFFSET, LINK_OFFSET = 1010, 1110, 1210
"""Default distance of the internal port from the public one: 9090 for 8080, of a worker 9190, of links 9290."""
MAX_PORTS_TRIED = 20
"""Workers on one machine that find a port by themselves."""


def build_internal_app(container: Container, health: Health) -> web.Application:
    """Build the application for the platform: /healthz, /readyz and /metrics."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        faults = await health.find_faults()
        lines = ["not ready", *faults] if faults else ["ready", *health.find_warnings()]
        return web.Response(text="\n".join([*lines, ""]), status=503 if faults else 200)

    async def metrics(request: web.Request) -> web.Response:
        await container.metrics.refresh_gauges(container.database, container.clock())
        return web.Response(
            body=container.metrics_registry.render_exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4"},
        )

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


def server_port(container: Container, member_number: int | None) -> int:
    """Return the port of a serving process; the processes of a group count up from the first."""
    settings = container.settings
    port = settings.internal_port
    if port is None:
        port = (settings.port + SERVER_OFFSET) % 65536 if settings.port else 0
    return port + (member_number or 0) if port else 0


@dataclass(frozen=True, slots=True)
class RolePort:
    """Where the internal listener of a role without a public one is."""

    offset: int
    """Distance from the public port while none is configured."""
    setting: str
    """The setting that configures it."""
    configured: int | None
    """Its value; None means that the setting is absent."""


def worker_port(settings: Settings, offset: int = WORKER_OFFSET) -> RolePort:
    """Return the port of a worker, or of another role that shares its setting."""
    return RolePort(offset, "worker_port", settings.worker_port)


@asynccontextmanager
async def serve_worker_listener(
    container: Container, health: Health, role_port: RolePort | None = None
) -> AsyncIterator[int]:
    """Serve the internal listener of a role without a public one, by default of a worker; yield its port.

    Without a configured port the next free one is taken: several workers may run on one machine. Raises
    PortTakenError for a port in use that was set, and when all MAX_PORTS_TRIED are.
    """
    settings = container.settings
    role = role_port or worker_port(settings)
    first = role.configured
    if first is None:
        first = (settings.port + role.offset) % 65536 if settings.port else 0
    last = first if role.configured is not None else first + MAX_PORTS_TRIED - 1
    app = build_internal_app(container, health)
    for port in count(first):
        listener = serve_app(app, settings.internal_host, port, port_setting=role.setting)
        try:
            bound = await listener.__aenter__()
        except PortTakenError:
            if port >= last:
                raise
            app = build_internal_app(container, health)
            continue
        break
    log.info("server.internal_listener_opened", extra={"port": bound})
    try:
        yield bound
    finally:
        await listener.__aexit__(None, None, None)
