"""Command `dialtree outbox`: list, show, replay and purge outbox messages."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from gateway.cli.common import read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.table_output import print_table
from menus.text.masking import mask_recipient
from storage.outbox.sql_outbox import OutboxRow, RowFilter, SqlOutbox

OutboxAction = Callable[[SqlOutbox, argparse.Namespace, datetime], Awaitable[int]]
ROW_HEADERS = ("row", "created (UTC)", "operator", "kind", "to", "tries", "why, or state")
ROW_LINE = "{:>8}  {:<16}  {:<16}  {:<8}  {:<24}  try {}  {}"
MIN_PURGE_DAYS = 1
"""Minimum age of purged rows, in days: a repeated request must still find its message."""


def main(args: argparse.Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_container(
        read_settings(demo_world=args.demo), lambda built: run_action(built.outbox, args, built.clock())
    )


async def run_action(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    """Run the chosen action and return its exit status: 0 when it did what was asked."""
    return await OUTBOX_ACTIONS[args.what](outbox, args, now)


async def _list_rows(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    rows = await outbox.list_rows(args.state, args.limit, _build_filter(args, now))
    print_table(ROW_HEADERS, map(_list_cells, rows), ROW_LINE)
    print(f"{len(rows)} {args.state}")
    return 0


def _build_filter(args: argparse.Namespace, now: datetime) -> RowFilter:
    """Return which rows are asked for; ages are in hours since the row was enqueued."""
    after, before = (
        now - timedelta(hours=hours) if hours is not None else None for hours in (args.newer, args.older)
    )
    return RowFilter(args.operator or "", args.kind or "", after, before)


def _list_cells(row: OutboxRow) -> tuple[object, ...]:
    created = f"{row.created_at:%Y-%m-%d %H:%M}"
    reason = _describe_state(row)
    return row.id, created, row.operator, row.kind, mask_recipient(row.to), row.attempt, reason


def _describe_state(row: OutboxRow) -> str:
    """Return why a row is where it is: route, provider and what the provider said; else its state."""
    if not row.reason:
        return row.state
    by = f"{row.route} by {row.provider}" if row.provider else row.route
    return f"{by}: {row.reason}" if by else row.reason


async def _show_row(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    row = await outbox.find_row(args.id)
    if row is None:
        print_error(f"there is no row {args.id}")
        return 1
    print_table(
        ("field", "value"), [(name, str(value)) for name, value in _row_fields(row).items()], "{:<11} {}"
    )
    return 0


def _row_fields(row: OutboxRow) -> Mapping[str, object]:
    fields = {name: getattr(row, name) for name in OutboxRow.__slots__ if name != "key"}
    return {name: "-" if value in (None, "") else value for name, value in fields.items()} | {
        "to": mask_recipient(row.to)
    }


async def _replay_rows(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    ids = [*args.id]
    if args.all:
        ids += [row.id for row in await outbox.list_rows(args.all, 10_000)]
    results = [await outbox.replay_row(each, now) for each in ids]
    for each, replayed in zip(ids, results, strict=True):
        if not replayed:
            print_error(f"{each}: not replayed; it is not there, not dead, or its text is gone")
    print(f"{sum(results)} will be sent again")
    return 0 if all(results) else 1


async def _purge_rows(outbox: SqlOutbox, args: argparse.Namespace, now: datetime) -> int:
    if args.days < MIN_PURGE_DAYS:
        print_error(f"--days must be at least {MIN_PURGE_DAYS}")
        return 2
    print(f"{await outbox.purge_finished(now - timedelta(days=args.days))} rows deleted")
    return 0


OUTBOX_ACTIONS: Mapping[str, OutboxAction] = {
    "list": _list_rows,
    "show": _show_row,
    "replay": _replay_rows,
    "purge": _purge_rows,
}
