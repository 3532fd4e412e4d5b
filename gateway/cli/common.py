"""Settings loading, container start and the `--demo` option that the commands share."""

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
    """Add `--demo`, which runs a command on the demo's database and settings."""
    parser.add_argument("--demo", action="store_true", help="of the demo's own database and settings")


def settings(environ: Mapping[str, str] = os.environ, *, demo_world: bool = False) -> Settings:
    """Load the settings from file and environment; `demo_world` fills gaps with the demo's defaults."""
    return load(discover(), config_path(environ), environ, world.base(environ) if demo_world else {})


def inside(told: Settings, run: Callable[[House], Awaitable[Brought]]) -> Brought:
    """Build a container from settings, run a coroutine with it and return its result."""

    async def run_inside() -> Brought:
        async with house(told) as container:
            return await run(container)

    return asyncio.run(run_inside())
