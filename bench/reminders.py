"""Reminder benchmark: a hundred thousand reminders enqueued on PostgreSQL; rate and growth of memory."""

import argparse
import asyncio
import resource
import time
from dataclasses import dataclass
from datetime import datetime
from datetime import time as day_time

from sqlalchemy import func, select

from bench.billing import CYCLE_DATE, OPERATOR, ZONE, fill_tables
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Secret
from flows.payments.reminder_planning import ReminderPlanner
from gateway.delivery.reminder_run import ReminderRun, ReminderRunProgress
from gateway.publishing import pack_compiler
from storage.billing.sql import SqlBilling
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database, connect
from storage.sql.tables import outbox
from tests.support.server_processes import PostgresServer, run_server

DUE_AT = datetime.combine(CYCLE_DATE, day_time(9), ZONE)
"""The morning of the day on which every bill is due."""
SECRET = Secret("a key for the benchmark and nothing else")
LEAST_PER_SECOND = 8_000
"""Reminders a second asked for."""


@dataclass(frozen=True, slots=True)
class ReminderFigures:
    """How fast reminders were enqueued, and what that took of this process."""

    planned: int
    stored: int
    """Reminders in the outbox afterwards."""
    per_second: float
    per_cpu_second: float
    """Reminders by second of this process's processor time: hardly moved by other load."""
    growth_mb: float
    """Growth of the peak resident memory."""


async def measure_reminders(database: Database, count: int) -> list[ReminderFigures]:
    """Return the figures of a run over so many bills, all due today, and of the same run again."""
    await fill_tables(database, count)
    return [await _measure_run(database) for _ in range(2)]


async def _measure_run(database: Database) -> ReminderFigures:
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR))
    planner = ReminderPlanner(menu, Pseudonyms(b"a key for the bench, nowhere else"))
    billing = SqlBilling(database, OPERATOR, lambda: CYCLE_DATE)
    outbox_writer = SqlBulkOutbox(database, SECRET)
    run = ReminderRun(OPERATOR, billing, planner, outbox_writer, None, lambda: DUE_AT)
    before, began, cpu = _peak_memory_mb(), time.perf_counter(), time.process_time()
    done = await run.plan_reminders(CYCLE_DATE, _ignore_progress)
    return ReminderFigures(
        planned=done.planned,
        stored=await database.read(lambda connection: connection.scalar(COUNT_ROWS) or 0),
        per_second=done.planned / (time.perf_counter() - began),
        per_cpu_second=done.planned / (time.process_time() - cpu),
        growth_mb=_peak_memory_mb() - before,
    )


COUNT_ROWS = select(func.count()).select_from(outbox)


def _ignore_progress(progress: ReminderRunProgress) -> None:
    """Ignore a progress report."""


def _peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_figures(figures: ReminderFigures) -> None:
    """Print a run's figures; SystemExit when a reminder is missing or doubled."""
    rates = f"{figures.per_second:.0f} a second, {figures.per_cpu_second:.0f} by second of processor time here"
    print(f"{figures.planned} reminders planned, {figures.stored} in the outbox: {rates}")
    print(f"at least {LEAST_PER_SECOND} a second; memory +{figures.growth_mb:.0f} MB")
    if figures.planned != figures.stored:
        raise SystemExit("a reminder is missing or doubled")


async def run_benchmark(url: str, count: int) -> None:
    """Measure a run over so many bills and the same run again, and print the figures."""
    database = connect(url)
    try:
        for figures in await measure_reminders(database, count):
            print_figures(figures)
    finally:
        await database.close()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.reminders")
    parser.add_argument("--count", type=int, default=100_000, help="bills that are due today")
    args = parser.parse_args()
    with run_server(PostgresServer) as postgres:
        asyncio.run(run_benchmark(postgres.create_database("bench"), args.count))


if __name__ == "__main__":
    main()
