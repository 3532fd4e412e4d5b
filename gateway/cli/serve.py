"""The command `dialtree serve`: webhooks and pages, in one process or several on one port."""

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
    """The arguments of `dialtree serve`."""
    add_packs(parser)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="so many processes on one port")
    parser.add_argument("--deliver", action="store_true", help="deliver what is due, too")
    parser.add_argument("--watch", action="store_true", help="publish packs as they are edited")
    parser.add_argument("--member", type=int, help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """0 when it was told to stop; of several processes, the status the supervisor ends with."""
    logging.start()
    told = settings()
    if args.workers > 1:
        _shareable(told)
        command = functools.partial(supervisor.member_command, deliver=args.deliver, watch=args.watch)
        return asyncio.run(supervisor.Supervisor(args.workers, command).run())
    part = app.Part(deliver=args.deliver, member=args.member)
    inside(told, lambda built: _served(built, part, watch=args.watch))
    return 0


async def _served(built: House, part: app.Part, *, watch: bool) -> None:
    async with watching(built) if watch else contextlib.nullcontext():
        await app.serve(built, part)


def _shareable(told: Settings) -> None:
    """May several processes serve this? Else SettingsError names the field."""
    if not told.redis_url:
        raise SettingsError(
            "redis_url: several workers need REDIS_URL, or each would know its own sessions only"
        )
    if not told.port:
        raise SettingsError("port: several workers need a port of their own to share")
