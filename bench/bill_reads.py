"""Processor time of reading a subscriber and the latest bill from our own tables on PostgreSQL.

Run: python -m bench.bill_reads [--subscribers 2000] [--rounds 7]. CPU of this process only; medians of rounds,
interleaved.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from statistics import median

from bench import billing as billing_bench
from storage.billing.sql import SqlBilling
from storage.sql.engine import connect
from tests.support.server_processes import PostgresServer, run_server

READS = 300
"""Reads of a round."""


async def read_separately(billing: SqlBilling, number: str) -> None:
    subscriber = await billing.get_subscriber(number)
    require_one(await billing.list_bills(subscriber.account, 1))


async def read_together(billing: SqlBilling, number: str) -> None:
    require_one((await billing.get_subscriber_and_bill(number))[1])


async def read_subscriber(billing: SqlBilling, number: str) -> None:
    await billing.get_subscriber(number)


def require_one(bills: object) -> None:
    """SystemExit unless one bill was read: a read that finds nothing is no result."""
    if not isinstance(bills, list | tuple) or len(bills) != 1:
        raise SystemExit(f"one bill should have been read, not {bills!r}")


READERS = {
    "subscriber": read_subscriber,
    "subscriber, then latest bill": read_separately,
    "subscriber and latest bill in one query": read_together,
}


async def cpu_per_read(read: Callable[[str], Awaitable[None]], subscribers: int) -> float:
    """Return microseconds of CPU of one read."""
    began = time.process_time()
    for number in range(READS):
        await read(f"+4074{number % subscribers:07}")
    return (time.process_time() - began) / READS * 1e6


async def measure_reads(url: str, subscribers: int, rounds: int) -> dict[str, float]:
    """Return the microseconds of CPU of each way to read, medians of the rounds after a first."""
    database = connect(url)
    await billing_bench.fill_tables(database, subscribers)
    billing = SqlBilling(database, billing_bench.OPERATOR, lambda: datetime.now(UTC).date())
    seen: dict[str, list[float]] = {name: [] for name in READERS}
    for _ in range(rounds + 1):
        for name, read in READERS.items():
            seen[name].append(await cpu_per_read(partial(read, billing), subscribers))
    await database.close()
    return {name: median(times[1:]) for name, times in seen.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.bill_reads")
    parser.add_argument("--subscribers", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with run_server(PostgresServer) as server:
        url = server.create_database("bench")
        figures = asyncio.run(measure_reads(url, args.subscribers, args.rounds))
    for name, microseconds in figures.items():
        print(f"{name:40} {microseconds / 1000:.2f} ms of CPU")


if __name__ == "__main__":
    main()
