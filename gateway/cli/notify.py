"""Command `dialtree notify`: run a billing cycle's notices, or subscribe to the BSS's bill events."""

import argparse
from datetime import date
from zoneinfo import ZoneInfo

from flows.domain.failures import Failure
from flows.domain.ports import BillingCycles
from gateway.cli.common import is_served, read_settings, run_in_bulk
from gateway.cli.count_confirmation import is_confirmed
from gateway.cli.error_output import print_error, print_result
from gateway.cli.progress import show_progress
from gateway.delivery.bill_rehearsal import BillRehearsal, BulkNotices
from gateway.delivery.bill_run import BillRun, BillRunProgress, parse_cycle
from gateway.delivery.notice_limit import LimitedNotices, count_most_notices
from gateway.delivery.quiet_gate import QuietGate
from gateway.wiring.container import Container
from storage.billing.backend import BillEventSource

UNCONFIRMED = 2
"""Exit status of a run with more messages than were permitted."""
UNUSABLE_BILLS = 3
"""Exit status of a run that left bills out."""


def main(args: argparse.Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_bulk(read_settings(demo_world=args.demo), lambda built: run_notify(args, built))


async def run_notify(args: argparse.Namespace, container: Container) -> int:
    """Run the command.

    Returns 0 when all is enqueued, 1 when the billing backend failed, 2 for an unknown operator or month, or
    for a large run that nobody confirmed, 3 when some bills could not be used: they are listed, and all
    others are enqueued.
    """
    if not is_served(container, args.operator):
        return 2
    try:
        return await (_subscribe_to_bss if args.listen else _notify_cycle)(args, container)
    except Failure as failure:
        return print_result(f"stopped: {failure} Run it again: what is done is not done twice.", 1)


async def _subscribe_to_bss(args: argparse.Namespace, container: Container) -> int:
    ports = container.operators[args.operator]
    callback = container.bill_events.callback_url(container.settings.public_url, args.operator)
    if not isinstance(ports.billing, BillEventSource) or not callback:
        return print_result(
            f"operators.{args.operator}.bss.hub_token: missing, or a backend that announces nothing", 2
        )
    await ports.billing.register_callback(callback)
    return print_result("the BSS tells us of bills from now on", 0)


async def _notify_cycle(args: argparse.Namespace, container: Container) -> int:
    ports = container.operators[args.operator]
    zone = ZoneInfo(container.menu_versions.current_menu(args.operator).config.time_zone)
    try:
        first, last = parse_cycle(args.cycle, ports.now().astimezone(zone).date())
    except ValueError:
        return print_result("--cycle: must be a month, as in 2026-03", 2)
    if not isinstance(ports.billing, BillingCycles):
        return print_result("this backend cannot list a whole cycle", 2)
    rehearsal, days = BillRehearsal(container.bulk_outbox), (first, last)
    outbox = rehearsal if args.dry_run else await _permitted_outbox(args, container, ports.billing, days)
    if outbox is None:
        return UNCONFIRMED
    kind = "bill_rehearsal" if args.dry_run else "bill_notices"
    with container.telemetry.trace_run(args.operator, kind):
        result = await _run_cycle(args, container, ports.billing, outbox, days)
    for line in result.list_rejections():
        print_error(line)
    for line in rehearsal.report_lines():
        print(line)
    if until := QuietGate(container.menu_versions, ports.now).quiet_until(args.operator):
        print(f"quiet hours: SMS wait until {until.astimezone(zone):%Y-%m-%d %H:%M}")
    done = "dry run, nothing is enqueued: " if args.dry_run else ""
    print_result(f"{args.operator} {first:%Y-%m}: {done}{result.format_line()} in {result.seconds:.1f} s", 0)
    return UNUSABLE_BILLS if result.rejected_count else 0


async def _permitted_outbox(
    args: argparse.Namespace, container: Container, billing: BillingCycles, days: tuple[date, date]
) -> BulkNotices | None:
    """Return the outbox when as many messages may go out as the cycle makes; otherwise say how many, None.

    A cycle that cannot make more than are permitted is not read to be counted first.
    """
    threshold = container.settings.operators[args.operator].notify_without_asking
    if not threshold:
        return container.bulk_outbox
    permitted, most = max(threshold, args.confirm), await count_most_notices(billing, *days)
    if most is not None and most <= permitted:
        return LimitedNotices(container.bulk_outbox, permitted)
    counted = await _run_cycle(args, container, billing, BillRehearsal(container.bulk_outbox), days)
    count = counted.enqueued_count
    if is_confirmed(count, threshold, args.confirm):
        return container.bulk_outbox
    words = f"{count} messages would go out; nothing is enqueued. Give --confirm {count}"
    print_result(words, UNCONFIRMED)
    return None


async def _run_cycle(
    args: argparse.Namespace,
    container: Container,
    billing: BillingCycles,
    outbox: BulkNotices,
    days: tuple[date, date],
) -> BillRunProgress:
    announcer, ports = container.announcer_for(args.operator), container.operators[args.operator]
    run = BillRun(args.operator, billing, announcer, outbox, ports.now)
    with show_progress("bill notices", "bills") as report:
        return await run.announce_bills(*days, lambda now: report(now.bills, now.expected_bills))
