"""Command `dialtree serve`: HTTP server of webhooks and pages, in one or several processes."""

import argparse
import asyncio
import contextlib
import functools

from gateway.cli.common import read_settings, run_in_container
from gateway.observability import logging
from gateway.phone.lifecycle import watch_packs
from gateway.server import app, supervisor
from gateway.settings import Settings
from gateway.settings_sources import SettingsError
from gateway.wiring.container import Container


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or the supervisor's status with several processes."""
    logging.configure_logging()
    gateway_settings = read_settings()
    if args.workers > 1:
        _require_shareable(gateway_settings)
        command = functools.partial(
            supervisor.member_command, deliver=args.deliver, links=args.links, watch=args.watch
        )
        return asyncio.run(supervisor.Supervisor(args.workers, command).run())
    role = app.ProcessRole(delivers=args.deliver, holds_links=args.links, member_number=args.member)
    run_in_container(gateway_settings, lambda built: _serve(built, role, watch=args.watch))
    return 0


async def _serve(container: Container, role: app.ProcessRole, *, watch: bool) -> None:
    async with watch_packs(container) if watch else contextlib.nullcontext():
        await app.serve(container, role)


def _require_shareable(settings: Settings) -> None:
    """Raise SettingsError if the settings do not permit several processes on one port."""
    if not settings.redis_url:
        raise SettingsError(
            "redis_url: several workers need REDIS_URL, or each would know its own sessions only"
        )
    if not settings.port:
        raise SettingsError("port: several workers need a port of their own to share")
