"""The outbox drained on PostgreSQL: claimed, handed over and settled, no provider, rows a second.

All of a row's database work and no more: opt-outs looked up, its text opened, leases, fences, the receipt
it may meet, its line in the audit trail, every commit on the disk but the claim's. Workers claim as many
as `gateway.delivery` does while its lanes take everything. Rates are those of a machine with nothing
else to do; processor time a row, ours and the server's, says more on one that is shared.

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
        parcels = await outbox.claim(DEEP_BATCH, datetime.now(UTC))
        if not parcels:
            return
        await timed("hold", outbox.hold(parcels, datetime.now(UTC), sending=True))
        await timed("settle", settled(outbox, parcels))


async def settled(outbox: SqlOutbox, parcels: Sequence[Parcel]) -> None:
    """All of a batch, as concurrent sends report."""
    now = datetime.now(UTC)
    reports = (outbox.settle(each, Settlement("sent", "bench", f"id{each.id}"), now) for each in parcels)
    await asyncio.gather(*reports)


def family_seconds(parent: int) -> float:
    """Processor time of a server's own children: it works in them."""
    tasks = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(cpu_seconds(int(pid)) for pid in tasks)


@dataclass(frozen=True)
class Drain:
    """One drain: rows a second, and processor microseconds a row."""

    rate: float
    ours: float
    servers: float


async def drained(database: Database, server: int, rows: int, workers: int, spent: dict[str, float]) -> Drain:
    """One outbox filled, and drained by so many workers."""
    at = datetime.now(UTC)
    await database.write(lambda connection: filled(connection, rows, at), seconds=120)
    began = time.perf_counter(), time.process_time(), family_seconds(server)
    await asyncio.gather(*(drain(SqlOutbox(database, SECRET), spent) for _ in range(workers)))
    ended = time.perf_counter(), time.process_time(), family_seconds(server)
    wall, ours, servers = (after - before for before, after in zip(began, ended, strict=True))
    return Drain(rows / wall, ours / rows * 1e6, servers / rows * 1e6)


async def measured(url: str, server: int, args: argparse.Namespace) -> None:
    """The rounds, and their medians."""
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
    """Start a PostgreSQL of our own and measure on it."""
    parser = argparse.ArgumentParser(prog="python -m bench.outbox")
    for name, default in (("rows", 20_000), ("workers", 4), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with serving(Postgres) as server:
        assert server.child
        asyncio.run(measured(server.create("bench"), server.child.pid, args))


if __name__ == "__main__":
    main()
