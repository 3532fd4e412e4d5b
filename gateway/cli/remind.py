"""Command `dialtree remind`: plan the reminders of unpaid bills and instalments for today."""

import argparse

from flows.domain.failures import Failure
from flows.domain.ports import BillingCycles
from flows.payments.reminder_planning import ReminderPlanner, local_time
from gateway.cli.common import is_served, read_settings, run_in_bulk
from gateway.cli.error_output import print_result
from gateway.cli.progress import show_progress
from gateway.delivery.reminder_run import ReminderRun
from gateway.wiring.container import Container


def main(args: argparse.Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_bulk(read_settings(demo_world=args.demo), lambda built: run_reminders(args, built))


async def run_reminders(args: argparse.Namespace, container: Container) -> int:
    """Plan the reminders; 0 when all are planned, 1 when billing failed, 2 when there is nothing to run."""
    if not is_served(container, args.operator):
        return 2
    ports, menu = container.operators[args.operator], container.menu_versions.current_menu(args.operator)
    if menu.config.rules.reminders is None:
        return print_result(f"{args.operator}: its pack has no rules.reminders", 2)
    if not isinstance(ports.billing, BillingCycles):
        return print_result("this backend cannot list a whole cycle", 2)
    planner = ReminderPlanner(menu, container.pseudonyms)
    run = ReminderRun(args.operator, ports.billing, planner, container.bulk_outbox, ports.promises, ports.now)
    try:
        tracing = container.telemetry.trace_run(args.operator, "reminders")
        with tracing, show_progress("reminders", "bills") as report:
            result = await run.plan_reminders(
                local_time(menu, ports.now()).date(), lambda now: report(now.bills, None)
            )
    except Failure as failure:
        return print_result(f"stopped: {failure} Run it again: what is planned is not planned twice.", 1)
    counts = f"{result.planned} reminders of {result.bills} bills and {result.plans} promises in parts"
    return print_result(f"{args.operator}: {counts}", 0)
