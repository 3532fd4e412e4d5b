"""Command `dialtree notify`: run a billing cycle's notices, or subscribe to the BSS's bill events."""

import argparse
import sys
from zoneinfo import ZoneInfo

from flows.domain.failures import Failure
from flows.domain.ports import Cycles
from gateway.cli.common import add_demo, inside, settings
from gateway.delivery.bill_run import Progress, Run, cycle
from gateway.wiring.container import House
from storage.billing.backend import Announcing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `dialtree notify`."""
    parser.add_argument("operator", help="e.g. orange-ro")
    parser.add_argument(
        "--cycle", default="", metavar="YYYY-MM", help="bills issued in this month; by default now"
    )
    add_demo(parser)
    parser.add_argument(
        "--listen", action="store_true", help="only ask the BSS to tell us of bills from now on"
    )


def main(args: argparse.Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return inside(settings(demo_world=args.demo), lambda built: run(args, built))


async def run(args: argparse.Namespace, house: House) -> int:
    """Run the command.

    Returns 0 when all is enqueued, 1 when the billing backend failed, 2 for an unknown operator or month.
    """
    if args.operator not in house.settings.operators:
        return _said(f"no operator {args.operator!r}; there are {', '.join(house.settings.operators)}", 2)
    try:
        return await (_listen if args.listen else _over)(args, house)
    except Failure as failure:
        return _said(f"stopped: {failure} Run it again: what is done is not done twice.", 1)


async def _listen(args: argparse.Namespace, house: House) -> int:
    world = house.conversations.people[args.operator].world
    callback = house.listener.callback(house.settings.public_url, args.operator)
    if not isinstance(world.billing, Announcing) or not callback:
        return _said(
            f"operators.{args.operator}.bss.hub_token: missing, or a backend that announces nothing", 2
        )
    await world.billing.register_callback(callback)
    return _said("the BSS tells us of bills from now on", 0)


async def _over(args: argparse.Namespace, house: House) -> int:
    world = house.conversations.people[args.operator].world
    zone = ZoneInfo(house.conversations.shelf.current(args.operator).form.time_zone)
    try:
        first, last = cycle(args.cycle, world.now().astimezone(zone).date())
    except ValueError:
        return _said("--cycle: must be a month, as in 2026-03", 2)
    if not isinstance(world.billing, Cycles):
        return _said("this backend cannot list a whole cycle", 2)
    announcer = house.listener.announcer(args.operator)
    result = await Run(args.operator, world.billing, announcer, house.posting, world.now).over(
        first, last, _told
    )
    return _said(f"{args.operator} {first:%Y-%m}: {result.line()} in {result.seconds:.1f} s", 0)


def _told(progress: Progress) -> None:
    """Overwrite the progress line on stderr, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{progress.line()}", end="", file=sys.stderr, flush=True)


def _said(words: str, status: int) -> int:
    print(words, file=sys.stderr if status else sys.stdout, flush=True)
    return status
