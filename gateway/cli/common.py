"""Running: what commands share, the settings they read, and the house they work in."""

import asyncio
import os
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from gateway.demo import world
from gateway.providers.discovery import discover
from gateway.settings import Settings, config_path, load
from gateway.wiring.container import House, house

Brought = TypeVar("Brought")


def add_demo(parser: ArgumentParser) -> None:
    """The switch of every command that may look after the demo world instead."""
    parser.add_argument("--demo", action="store_true", help="of the demo's own database and settings")


def settings(environ: Mapping[str, str] = os.environ, *, demo_world: bool = False) -> Settings:
    """The settings of this machine; the demo's own values where they leave one out, for the demo world."""
    return load(discover(), config_path(environ), environ, world.base(environ) if demo_world else {})


def inside(told: Settings, run: Callable[[House], Awaitable[Brought]]) -> Brought:
    """Run something in a house built from settings; what it brought."""

    async def housed() -> Brought:
        async with house(told) as built:
            return await run(built)

    return asyncio.run(housed())
