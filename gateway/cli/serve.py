"""Command `dialtree serve`: HTTP server of webhooks and pages, in one or several processes."""

import argparse
import asyncio
import contextlib
import functools

from gateway.cli.common import inside, settings
from gateway.cli.pack_options import add_packs
from gateway.observability import logging
from gateway.phone.lifecycle import watching
from gateway.server import app, supervisor
from gateway.settings import Settings, SettingsError
from gateway.wiring.container import House


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `dialtree serve`."""
    add_packs(parser)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="so many processes on one port")
    parser.add_argument("--deliver", action="store_true", help="deliver what is due, too")
    parser.add_argument("--watch", action="store_true", help="publish packs as they are edited")
    parser.add_argument("--member", type=int, help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or the supervisor's status with several processes."""
    logging.start()
    gateway_settings = settings()
    if args.workers > 1:
        _shareable(gateway_settings)
        command = functools.partial(supervisor.member_command, deliver=args.deliver, watch=args.watch)
        return asyncio.run(supervisor.Supervisor(args.workers, command).run())
    role = app.Part(deliver=args.deliver, member=args.member)
    inside(gateway_settings, lambda built: _served(built, role, watch=args.watch))
    return 0


async def _served(built: House, part: app.Part, *, watch: bool) -> None:
    async with watching(built) if watch else contextlib.nullcontext():
        await app.serve(built, part)


def _shareable(told: Settings) -> None:
    """Raise SettingsError if the settings do not permit several processes on one port."""
    if not told.redis_url:
        raise SettingsError(
            "redis_url: several workers need REDIS_URL, or each would know its own sessions only"
        )
    if not told.port:
        raise SettingsError("port: several workers need a port of their own to share")
