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
from flows.domain.records import ClaimedMessage, DeliveryOutcome, OutboundMessage, Secret
from gateway.delivery.outbox_worker import DEEP_BATCH_SIZE
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

SECRET = Secret("a secret for the bench, nowhere else")


def fill_outbox(connection: Connection, rows: int, at: datetime) -> None:
    """Fill the outbox with the given number of due notices."""
    connection.execute(text("TRUNCATE outbox, receipts"))
    seal = AeadCipher(SECRET, KEY_PURPOSE)
    for start in range(0, rows, 1000):
        each = (build_notice(number) for number in range(start, min(start + 1000, rows)))
        enqueue_items(connection, seal, each, at)


def build_notice(number: int) -> OutboundMessage:
    """Return a notice as a bill run makes it."""
    body = f"Factura {number}: 79,90 lei, scadenta 15.03.2026, neachitata."
    return OutboundMessage(f"n{number}", "orange-ro", f"+4074{number:07}", "sms", "notice", body, "ro")


async def drain_outbox(outbox: SqlOutbox, spent: dict[str, float]) -> None:
    """Do one worker's database work until nothing is due."""

    async def timed(name: str, work: Awaitable[object]) -> object:
        began = time.perf_counter()
        result = await work
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
        return result

    while True:
        parcels = await outbox.claim(DEEP_BATCH_SIZE, datetime.now(UTC))
        if not parcels:
            return
        await timed("hold", outbox.renew_leases(parcels, datetime.now(UTC), sending=True))
        await timed("settle", settle_batch(outbox, parcels))


async def settle_batch(outbox: SqlOutbox, parcels: Sequence[ClaimedMessage]) -> None:
    """Settle a batch as concurrent sends do."""
    now = datetime.now(UTC)
    reports = (
        outbox.record_outcome(each, DeliveryOutcome("sent", "bench", f"id{each.id}"), now) for each in parcels
    )
    await asyncio.gather(*reports)


def children_cpu_seconds(parent: int) -> float:
    """Return the CPU seconds of a server's child processes, in which it does its work."""
    tasks = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(cpu_seconds(int(pid)) for pid in tasks)


@dataclass(frozen=True)
class DrainFigures:
    """The figures of one drain: rows a second, and CPU microseconds a row."""

    rows_per_second: float
    own_cpu_microseconds: float
    server_cpu_microseconds: float


async def measure_drain(
    database: Database, server: int, rows: int, workers: int, spent: dict[str, float]
) -> DrainFigures:
    """Fill the outbox and drain it with the given number of workers."""
    at = datetime.now(UTC)
    await database.write(lambda connection: fill_outbox(connection, rows, at), seconds=120)
    began = time.perf_counter(), time.process_time(), children_cpu_seconds(server)
    await asyncio.gather(*(drain_outbox(SqlOutbox(database, SECRET), spent) for _ in range(workers)))
    ended = time.perf_counter(), time.process_time(), children_cpu_seconds(server)
    wall, ours, servers = (after - before for before, after in zip(began, ended, strict=True))
    return DrainFigures(rows / wall, ours / rows * 1e6, servers / rows * 1e6)


async def run_rounds(url: str, server: int, args: argparse.Namespace) -> None:
    """Run the rounds and print their medians."""
    database = connect(url)
    await upgrade_database(database)
    spent: dict[str, float] = {}
    drains = [await measure_drain(database, server, args.rows, args.workers, spent) for _ in range(args.rounds)]
    await database.close()
    rate, ours, servers = (
        median(getattr(each, name) for each in drains) for name in DrainFigures.__dataclass_fields__
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
    with run_server(PostgresServer) as server:
        assert server.child
        asyncio.run(run_rounds(server.create_database("bench"), server.child.pid, args))


if __name__ == "__main__":
    main()
