"""Command `dialtree demo`: serves the demo world and its browser phone on loopback."""

import asyncio
import functools
from argparse import Namespace

from gateway.demo import startup
from gateway.demo.bss import bss_servers
from gateway.demo.smsc_messages import SmscMessages
from gateway.http.listening import require_free_port
from gateway.observability import logging
from gateway.phone.lifecycle import open_phone_site
from gateway.server import app
from gateway.settings import Settings
from gateway.wiring.container import build_container


def main(args: Namespace) -> int:
    """Serve the demo until SIGTERM or SIGINT and return 0."""
    logging.configure_logging()
    logging.quieten_loggers("dialtree.smpp", "dialtree.links")  # `dialtree smsc` comes and goes
    asyncio.run(_serve_demo(args))
    return 0


async def _serve_demo(args: Namespace) -> None:
    async with bss_servers.demo_settings(args.billing) as settings:
        require_free_port(settings.host, settings.port)
        await _serve_world(settings)


async def _serve_world(settings: Settings) -> None:
    async with build_container(settings) as container:
        await startup.seed_demo(container)
        container.recorder.listeners.append(lambda notice: print(startup.format_message(notice), flush=True))
        container.recorder.listeners.append(SmscMessages(container.links.pool).forward_message)
        async with open_phone_site(container, report=functools.partial(print, flush=True)) as site:
            greet = functools.partial(print, startup.welcome_text(container, settings.port), flush=True)
            role = app.ProcessRole(delivers=True, holds_links=True)
            await app.serve(container, role, site.mount, greet)
