"""Outbox benchmark on PostgreSQL: claim, hand over and settle without a provider, rows a second.

It does all of a row's database work and no more: opt-out lookup, decryption, leases, fencing, the receipt
it may meet, its line in the audit trail, every commit on disk except the claim's. Workers claim as many
as `gateway.delivery` does while its routes accept everything. Rates hold for a machine with nothing else
to do; CPU time a row, ours and the server's, says more on a shared one.

Run: python -m bench.outbox [--rows 20000] [--workers 4] [--rounds 3]
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, text

from bench.servers import cpu_seconds
from flows.domain.records import Notice, Parcel, Secret, Settlement
from gateway.delivery.worker import DEEP_BATCH
from storage.crypto import Seal
from storage.outbox.enqueue import PURPOSE, enqueue
from storage.outbox.store import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade
from tests.services import Postgres, serving

SECRET = Secret("a secret for the bench, nowhere else")


def filled(connection: Connection, rows: int, at: datetime) -> None:
    """Fill the outbox with the given number of due notices."""
    connection.execute(text("TRUNCATE outbox, receipts"))
    seal = Seal(SECRET, PURPOSE)
    for start in range(0, rows, 1000):
        each = (notice(number) for number in range(start, min(start + 1000, rows)))
        enqueue(connection, seal, each, at)


def notice(number: int) -> Notice:
    """Return a notice as a bill run makes it."""
    body = f"Factura {number}: 79,90 lei, scadenta 15.03.2026, neachitata."
    return Notice(f"n{number}", "orange-ro", f"+4074{number:07}", "sms", "notice", body, "ro")


async def drain(outbox: SqlOutbox, spent: dict[str, float]) -> None:
    """Do one worker's database work until nothing is due."""

    async def timed(name: str, work: Awaitable[object]) -> object:
        began = time.perf_counter()
        result = await work
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
        return result

    while True:
        parcels = await outbox.claim(DEEP_BATCH, datetime.now(UTC))
        if not parcels:
            return
        await timed("hold", outbox.hold(parcels, datetime.now(UTC), sending=True))
        await timed("settle", settled(outbox, parcels))


async def settled(outbox: SqlOutbox, parcels: Sequence[Parcel]) -> None:
    """Settle a batch as concurrent sends do."""
    now = datetime.now(UTC)
    reports = (outbox.settle(each, Settlement("sent", "bench", f"id{each.id}"), now) for each in parcels)
    await asyncio.gather(*reports)


def family_seconds(parent: int) -> float:
    """Return the CPU seconds of a server's child processes, in which it does its work."""
    tasks = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(cpu_seconds(int(pid)) for pid in tasks)


@dataclass(frozen=True)
class Drain:
    """The figures of one drain: rows a second, and CPU microseconds a row."""

    rate: float
    ours: float
    servers: float


async def drained(database: Database, server: int, rows: int, workers: int, spent: dict[str, float]) -> Drain:
    """Fill the outbox and drain it with the given number of workers."""
    at = datetime.now(UTC)
    await database.write(lambda connection: filled(connection, rows, at), seconds=120)
    began = time.perf_counter(), time.process_time(), family_seconds(server)
    await asyncio.gather(*(drain(SqlOutbox(database, SECRET), spent) for _ in range(workers)))
    ended = time.perf_counter(), time.process_time(), family_seconds(server)
    wall, ours, servers = (after - before for before, after in zip(began, ended, strict=True))
    return Drain(rows / wall, ours / rows * 1e6, servers / rows * 1e6)


async def measured(url: str, server: int, args: argparse.Namespace) -> None:
    """Run the rounds and print their medians."""
    database = connect(url)
    await upgrade(database)
    spent: dict[str, float] = {}
    drains = [await drained(database, server, args.rows, args.workers, spent) for _ in range(args.rounds)]
    await database.close()
    rate, ours, servers = (
        median(getattr(each, name) for each in drains) for name in Drain.__dataclass_fields__
    )
    print(f"drain  {rate:8.0f} rows/s  ({args.workers} workers in one process, bar 20,000)")
    print(f"       {ours:.0f} us of our processor time a row, {servers:.0f} us of the server's")
    print("       " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items()))


def main() -> None:
    """Start a PostgreSQL and measure on it."""
    parser = argparse.ArgumentParser(prog="python -m bench.outbox")
    for name, default in (("rows", 20_000), ("workers", 4), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with serving(Postgres) as server:
        assert server.child
        asyncio.run(measured(server.create("bench"), server.child.pid, args))


if __name__ == "__main__":
    main()
