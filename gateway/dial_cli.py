"""The command `dialtree dial`: the terminal phone in a house of its own."""

import asyncio
import functools
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from gateway import demo, packs, terminal
from gateway.demo_bss import stand_in
from gateway.packs_cli import add_packs
from gateway.wiring import house
from menus.menu import Menu


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dialtree dial`."""
    terminal.add_arguments(parser)
    stand_in.add_arguments(parser)
    add_packs(parser)


def main(args: Namespace) -> int:
    """0 when all went as it should, 1 when a script differs, 2 when it cannot be dialled or played."""
    menu = functools.cache(packs.menu)
    return max(asyncio.run(_dialled(args, script, menu)) for script in args.script or [None])


async def _dialled(args: Namespace, script: Path | None, menu: Callable[[Path], Menu]) -> int:
    async with stand_in.demo_settings(args.billing) as told:
        settings, given, fragile = terminal.scene(args, script, told, menu)
        async with house(settings, given=given, load=menu) as built:
            await demo.settle(built)
            own = Namespace(**vars(args) | {"caller": args.caller or demo.phone(built, args.operator)})
            if script and fragile:
                return await terminal.play(own, script, built, fragile)
            return await terminal.talk(own, built)
