"""Command `dialtree dial`: a phone in the terminal, with a container of its own."""

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
    """Declare the arguments of `dialtree dial`."""
    terminal_phone.add_arguments(parser)
    server.add_arguments(parser)
    add_packs(parser)


def main(args: Namespace) -> int:
    """Run the terminal phone or the scripts and return the exit status.

    Returns 0 when all went well and 1 when a script differs from what was played. Raises DialogError
    (exit status 2) when an address cannot be dialled or a script cannot be read.
    """
    menu = functools.cache(pack_compiler.menu)
    return max(asyncio.run(_dialled(args, script, menu)) for script in args.script or [None])


async def _dialled(args: Namespace, script: Path | None, menu: Callable[[Path], Menu]) -> int:
    async with server.demo_settings(args.billing) as base_settings:
        settings, overrides, faulty_sessions = terminal_phone.scene(args, script, base_settings, menu)
        async with house(settings, given=overrides, load=menu) as container:
            await world.settle(container)
            phone_args = Namespace(
                **vars(args) | {"caller": args.caller or world.phone(container, args.operator)}
            )
            if script and faulty_sessions:
                return await terminal_phone.play(phone_args, script, container, faulty_sessions)
            return await terminal_phone.talk(phone_args, container)
