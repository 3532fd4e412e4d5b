"""The command `dialtree demo`: the demo world, served on loopback with its phone."""

import asyncio
import functools
from argparse import ArgumentParser, Namespace

from gateway import app, demo, log
from gateway.demo_bss import stand_in
from gateway.packs_cli import add_packs
from gateway.phone.opening import phone
from gateway.wiring import house


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dialtree demo`."""
    stand_in.add_arguments(parser)
    add_packs(parser)


def main(args: Namespace) -> int:
    """0 when it was told to stop."""
    log.start()
    asyncio.run(_serve(args))
    return 0


async def _serve(args: Namespace) -> None:
    async with stand_in.demo_settings(args.billing) as settings, house(settings) as built:
        await demo.settle(built)
        built.recorder.listeners.append(lambda notice: print(demo.told(notice), flush=True))
        async with phone(built, tell=functools.partial(print, flush=True)) as site:
            greet = functools.partial(print, demo.welcome(built, settings.port), flush=True)
            await app.serve(built, app.Part(deliver=True), site.mount, greet)
