"""What commands share: settings, the container they run in, the operators it serves."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from gateway.cli.error_output import print_error
from gateway.demo import startup
from gateway.providers.registry import discover_providers
from gateway.publishing.checked_packs import checked_packs
from gateway.server.garbage_collection import tune_garbage_collector
from gateway.settings import Settings, config_path, load_settings
from gateway.settings_safety import require_safe_settings
from gateway.wiring.container import Container, build_container

ResultT = TypeVar("ResultT")


def read_settings(environ: Mapping[str, str] = os.environ, *, demo_world: bool = False) -> Settings:
    """Load the settings from file and environment; `demo_world` fills gaps with the demo's defaults.

    Raises SettingsError for settings that cannot be used, or are not safe outside the demo.
    """
    base = startup.default_settings(environ) if demo_world else {}
    settings = load_settings(discover_providers(), config_path(environ), environ, base)
    if demo_world:
        return startup.keep_in_demo(settings)
    return require_safe_settings(settings)


def is_served(container: Container, operator: str) -> bool:
    """Return whether an operator is served; print which are where it is not."""
    if operator not in container.operators:
        print_error(f"no operator {operator!r}; there are {', '.join(container.operators)}")
    return operator in container.operators


def run_in_container(settings: Settings, run: Callable[[Container], Awaitable[ResultT]]) -> ResultT:
    """Build a container from settings, run a coroutine with it and return its result."""

    async def run_inside() -> ResultT:
        async with build_container(settings, load=checked_packs(os.environ).load_menu) as container:
            return await run(container)

    return asyncio.run(run_inside())


def run_in_bulk(settings: Settings, run: Callable[[Container], Awaitable[ResultT]]) -> ResultT:
    """Run as `run_in_container` does, the collector tuned for a command that makes a million records."""

    async def run_tuned(container: Container) -> ResultT:
        tune_garbage_collector()
        return await run(container)

    return run_in_container(settings, run_tuned)
