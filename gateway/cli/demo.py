"""Command `dialtree demo`: serves the demo world and its browser phone on loopback."""

import asyncio
import functools
from argparse import ArgumentParser, Namespace

from gateway.cli.pack_options import add_packs
from gateway.demo import world
from gateway.demo.bss import server
from gateway.observability import logging
from gateway.phone.lifecycle import phone
from gateway.server import app
from gateway.wiring.container import house


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments of `dialtree demo`."""
    server.add_arguments(parser)
    add_packs(parser)


def main(args: Namespace) -> int:
    """Serve the demo until SIGTERM or SIGINT and return 0."""
    logging.start()
    asyncio.run(_serve(args))
    return 0


async def _serve(args: Namespace) -> None:
    async with server.demo_settings(args.billing) as settings, house(settings) as container:
        await world.settle(container)
        container.recorder.listeners.append(lambda notice: print(world.told(notice), flush=True))
        async with phone(container, tell=functools.partial(print, flush=True)) as site:
            greet = functools.partial(print, world.welcome(container, settings.port), flush=True)
            await app.serve(container, app.Part(deliver=True), site.mount, greet)
