"""The outbox drained on PostgreSQL: claim, hand over and settle in batches of 100, no provider, rows a second.

Run: python -m bench.outbox [--rows 20000] [--workers 4] [--rounds 3]
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import Connection, text

from flows.records import Notice, Parcel, Secret, Settlement
from storage.enqueue import PURPOSE, enqueue
from storage.outbox import SqlOutbox
from storage.seal import Seal
from storage.sql.engine import Database, connect
from storage.sql.upgrade import upgrade
from tests.services import Postgres, serving

BATCH = 100
SECRET = Secret("a secret for the bench, nowhere else")


def filled(connection: Connection, rows: int, at: datetime) -> None:
    """An outbox with so many notices due."""
    connection.execute(text("TRUNCATE outbox, receipts"))
    seal = Seal(SECRET, PURPOSE)
    for start in range(0, rows, 1000):
        each = (notice(number) for number in range(start, min(start + 1000, rows)))
        enqueue(connection, seal, each, at)


def notice(number: int) -> Notice:
    """A notice as a bill's day brings them."""
    body = f"Factura {number}: 79,90 lei, scadenta 15.03.2026, neachitata."
    return Notice(f"n{number}", "orange-ro", f"+4074{number:07}", "sms", "notice", body, "ro")


async def drain(outbox: SqlOutbox, spent: dict[str, float]) -> None:
    """One worker's database work until nothing is due."""

    async def timed(name: str, work: Awaitable[object]) -> object:
        began = time.perf_counter()
        result = await work
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
        return result

    while True:
        parcels = await outbox.claim(BATCH, datetime.now(UTC))
        if not parcels:
            return
        await timed("hold", outbox.hold(parcels, datetime.now(UTC), sending=True))
        await timed("settle", settled(outbox, parcels))


async def settled(outbox: SqlOutbox, parcels: Sequence[Parcel]) -> None:
    """All of a batch, as concurrent sends report."""
    now = datetime.now(UTC)
    reports = (outbox.settle(each, Settlement("sent", "bench", f"id{each.id}"), now) for each in parcels)
    await asyncio.gather(*reports)


async def rate(database: Database, rows: int, workers: int, spent: dict[str, float]) -> float:
    """Rows a second of one drain."""
    at = datetime.now(UTC)
    await database.write(lambda connection: filled(connection, rows, at), seconds=120)
    began = time.perf_counter()
    await asyncio.gather(*(drain(SqlOutbox(database, SECRET), spent) for _ in range(workers)))
    return rows / (time.perf_counter() - began)


async def measured(url: str, args: argparse.Namespace) -> None:
    """The rounds, and their median."""
    database = connect(url)
    await upgrade(database)
    spent: dict[str, float] = {}
    rates = [await rate(database, args.rows, args.workers, spent) for _ in range(args.rounds)]
    await database.close()
    print(f"drain  {median(rates):8.0f} rows/s  ({args.workers} workers in one process, bar 20,000)")
    print("       " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items()))


def main() -> None:
    """Start a PostgreSQL of our own and measure on it."""
    parser = argparse.ArgumentParser(prog="python -m bench.outbox")
    for name, default in (("rows", 20_000), ("workers", 4), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with serving(Postgres) as server:
        asyncio.run(measured(server.create("bench"), args))


if __name__ == "__main__":
    main()
