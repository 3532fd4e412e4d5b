"""The command `dialtree demo`: the demo world, served on loopback with its phone."""

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
    """The arguments of `dialtree demo`."""
    server.add_arguments(parser)
    add_packs(parser)


def main(args: Namespace) -> int:
    """0 when it was told to stop."""
    logging.start()
    asyncio.run(_serve(args))
    return 0


async def _serve(args: Namespace) -> None:
    async with server.demo_settings(args.billing) as settings, house(settings) as built:
        await world.settle(built)
        built.recorder.listeners.append(lambda notice: print(world.told(notice), flush=True))
        async with phone(built, tell=functools.partial(print, flush=True)) as site:
            greet = functools.partial(print, world.welcome(built, settings.port), flush=True)
            await app.serve(built, app.Part(deliver=True), site.mount, greet)
