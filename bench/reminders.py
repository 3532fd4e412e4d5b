"""Reminder benchmark: a hundred thousand reminders enqueued on PostgreSQL; rate and growth of memory."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from datetime import time as day_time

from bench.billing import CYCLE_DATE, OPERATOR, ZONE, fill_tables
from bench.bulk_figures import BulkFigures, measure_bulk_run
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Secret
from flows.payments.reminder_planning import ReminderPlanner
from gateway.delivery.reminder_run import ReminderRun, ReminderRunProgress
from gateway.publishing import pack_compiler
from gateway.server.garbage_collection import tune_garbage_collector
from storage.billing.sql import SqlBilling
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database, connect
from tests.support.server_processes import PostgresServer, run_server

DUE_AT = datetime.combine(CYCLE_DATE, day_time(9), ZONE)
"""The morning of the day on which every bill is due."""
SECRET = Secret("a key for the benchmark and nothing else")
LEAST_PER_SECOND = 8_000
"""Reminders a second asked for."""


async def measure_reminders(database: Database, server: int, count: int) -> AsyncIterator[BulkFigures]:
    """Yield the figures of a run over so many bills, all due today, and of the same run again."""
    await fill_tables(database, count)
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR))
    planner = ReminderPlanner(menu, Pseudonyms(b"a key for the bench, nowhere else"))
    billing = SqlBilling(database, OPERATOR, lambda: CYCLE_DATE)
    outbox_writer = SqlBulkOutbox(database, SECRET)

    async def plan_reminders() -> int:
        run = ReminderRun(OPERATOR, billing, planner, outbox_writer, None, lambda: DUE_AT)
        return (await run.plan_reminders(CYCLE_DATE, _ignore_progress)).planned

    for _ in range(2):
        yield await measure_bulk_run(plan_reminders, database, server)


def _ignore_progress(progress: ReminderRunProgress) -> None:
    """Ignore a progress report."""


async def run_benchmark(url: str, server: int, count: int) -> None:
    """Measure a run over so many bills and the same run again, and print the figures."""
    database = connect(url)
    tune_garbage_collector()
    try:
        async for figures in measure_reminders(database, server, count):
            print(f"{figures} (at least {LEAST_PER_SECOND} a second)", flush=True)
            figures.require_complete()
    finally:
        await database.close()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.reminders")
    parser.add_argument("--count", type=int, default=100_000, help="bills that are due today")
    args = parser.parse_args()
    with run_server(PostgresServer) as postgres:
        assert postgres.child
        asyncio.run(run_benchmark(postgres.create_database("bench"), postgres.child.pid, args.count))


if __name__ == "__main__":
    main()
