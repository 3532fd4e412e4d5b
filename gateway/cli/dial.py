"""The command `dialtree dial`: the terminal phone in a house of its own."""

import asyncio
import functools
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from gateway.cli import terminal_phone
from gateway.cli.pack_options import add_packs
from gateway.demo import world
from gateway.demo.bss import server
from gateway.publishing import pack_compiler
from gateway.wiring.container import house
from menus.machine.menu import Menu


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dialtree dial`."""
    terminal_phone.add_arguments(parser)
    server.add_arguments(parser)
    add_packs(parser)


def main(args: Namespace) -> int:
    """0 when all went as it should, 1 when a script differs, 2 when it cannot be dialled or played."""
    menu = functools.cache(pack_compiler.menu)
    return max(asyncio.run(_dialled(args, script, menu)) for script in args.script or [None])


async def _dialled(args: Namespace, script: Path | None, menu: Callable[[Path], Menu]) -> int:
    async with server.demo_settings(args.billing) as told:
        settings, given, fragile = terminal_phone.scene(args, script, told, menu)
        async with house(settings, given=given, load=menu) as built:
            await world.settle(built)
            own = Namespace(**vars(args) | {"caller": args.caller or world.phone(built, args.operator)})
            if script and fragile:
                return await terminal_phone.play(own, script, built, fragile)
            return await terminal_phone.talk(own, built)
