"""Command `dialtree dial`: a phone in the terminal, with a container of its own."""

import asyncio
import functools
import os
from argparse import Namespace
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.cli import terminal_phone
from gateway.cli.terminal_wallet import with_own_wallet
from gateway.demo import startup
from gateway.demo.bss import bss_servers
from gateway.publishing.checked_packs import checked_packs
from gateway.wiring.container import build_container
from menus.machine.menu import Menu


def main(args: Namespace) -> int:
    """Run the terminal phone or the scripts and return the exit status.

    Returns 0 when all went well and 1 when a script differs from what was played. Raises DialogError
    (exit status 2) when an address cannot be dialled or a script cannot be read.
    """
    menu = functools.cache(checked_packs(os.environ).load_menu)
    return max(asyncio.run(_dial(args, script, menu)) for script in args.script or [None])


async def _dial(args: Namespace, script: Path | None, menu: Callable[[Path], Menu]) -> int:
    async with bss_servers.demo_settings(args.billing) as base_settings:
        settings, overrides, faulty_sessions = terminal_phone.prepare_run(args, script, base_settings, menu)
        async with AsyncExitStack() as stack:
            if script:
                dialog = terminal_phone.read_dialog(script)
                settings = await stack.enter_async_context(with_own_wallet(dialog, settings, overrides.now))
            container = await stack.enter_async_context(
                build_container(settings, overrides=overrides, load=menu)
            )
            if settings.database_url in startup.OWN_DATABASES:
                await startup.seed_demo(container)
            phone_args = Namespace(
                **vars(args) | {"caller": args.caller or startup.default_caller(container, args.operator)}
            )
            if script and faulty_sessions:
                return await terminal_phone.play_script(phone_args, script, container, faulty_sessions)
            return await terminal_phone.run_interactive(phone_args, container)
