"""Command `dialtree outbox`: list, show, replay and purge outbox messages."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from gateway.cli.common import add_demo, inside, settings
from menus.text.masking import recipient
from storage.outbox.store import STATES, OutboxRow, SqlOutbox

Command = Callable[[SqlOutbox, argparse.Namespace, datetime], Awaitable[int]]
FEWEST_DAYS = 1
"""Minimum age of purged rows, in days: a repeated request must still find its message."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `list STATE`, `show ID`, `replay ID...`, `replay --all STATE` and `purge --days N`."""
    kinds = parser.add_subparsers(dest="what", required=True)
    list_parser = kinds.add_parser("list", help="rows in a state, newest first")
    list_parser.add_argument("state", nargs="?", choices=STATES, default="dead")
    list_parser.add_argument("--limit", type=int, default=50)
    kinds.add_parser("show", help="all about one row, save its text").add_argument("id", type=int)
    replay_parser = kinds.add_parser("replay", help="send rows that are dead, failed, unknown or expired again")
    replay_parser.add_argument("id", type=int, nargs="*")
    replay_parser.add_argument(
        "--all", choices=("dead", "failed", "unknown", "expired"), help="every row in this state"
    )
    purge_parser = kinds.add_parser("purge", help="delete what was done with long ago")
    purge_parser.add_argument(
        "--days", type=int, required=True, help=f"older than so many days, at least {FEWEST_DAYS}"
    )
    for parser_of_kind in kinds.choices.values():
        add_demo(parser_of_kind)


def main(args: argparse.Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return inside(settings(demo_world=args.demo), lambda built: run(built.outbox, args, built.hooks.now()))


async def run(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    """Run the chosen action and return its exit status: 0 when it did what was asked."""
    return await COMMANDS[args.what](outbox, args, now)


async def _list(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    rows = await outbox.list_rows(args.state, args.limit)
    for row in rows:
        print(
            f"{row.id:>8}  {row.kind:<8}  {recipient(row.to):<24}  try {row.attempt}  {row.reason or row.state}"
        )
    print(f"{len(rows)} {args.state}")
    return 0


async def _show(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    row = await outbox.show(args.id)
    if row is None:
        print(f"there is no row {args.id}")
        return 1
    for name, value in _told(row).items():
        print(f"{name:<11} {value}")
    return 0


def _told(row: OutboxRow) -> Mapping[str, object]:
    fields = {name: getattr(row, name) for name in OutboxRow.__slots__ if name != "key"}
    return {name: "-" if value in (None, "") else value for name, value in fields.items()} | {
        "to": recipient(row.to)
    }


async def _replay(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    ids = [*args.id]
    if args.all:
        ids += [row.id for row in await outbox.list_rows(args.all, 10_000)]
    results = [await outbox.replay(each, now) for each in ids]
    for each, replayed in zip(ids, results, strict=True):
        if not replayed:
            print(f"{each}: not replayed; it is not there, not dead, or its text is gone")
    print(f"{sum(results)} will be sent again")
    return 0 if all(results) else 1


async def _purge(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    if args.days < FEWEST_DAYS:
        print(f"--days must be at least {FEWEST_DAYS}")
        return 2
    print(f"{await outbox.purge(now - timedelta(days=args.days))} rows deleted")
    return 0


COMMANDS: Mapping[str, Command] = {"list": _list, "show": _show, "replay": _replay, "purge": _purge}
