"""Outbox benchmark on PostgreSQL: claim, hand over and settle without a provider, rows a second.

It does all of a row's database work and no more: opt-out lookup, decryption, leases, fencing, the receipt
it may meet, its line in the audit trail, every commit on disk except the claim's. Workers claim as many
as `gateway.delivery` does while its routes accept everything, and the garbage collector is tuned as in a
worker's process. Chaining the lines, which the worker does a moment later, is measured apart. Rates hold for
a machine with nothing else to do; CPU time a row, ours and the server's, says more on a shared one.

Run: python -m bench.outbox [--rows 20000] [--workers 4] [--rounds 3]
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, text

from flows.domain.records import ClaimedMessage, DeliveryOutcome, OutboundMessage, Secret
from gateway.delivery.outbox_worker import DEEP_BATCH_SIZE
from gateway.server.garbage_collection import tune_garbage_collector
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

SECRET = Secret("a secret for the bench, nowhere else")


def fill_outbox(connection: Connection, rows: int, at: datetime) -> None:
    """Fill the outbox with the given number of due notices."""
    connection.execute(text("TRUNCATE outbox, receipts, audit, audit_pages"))
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
    """Return the CPU seconds of a server's child processes, in which it does its work, to the nanosecond."""
    tasks = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    total = 0
    for pid in tasks:
        with suppress(FileNotFoundError, ProcessLookupError):  # ended since
            total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return total / 1e9


@dataclass(frozen=True)
class PhaseFigures:
    """The figures of one phase: rows a second, and CPU microseconds a row."""

    rows_per_second: float
    own_cpu_microseconds: float
    server_cpu_microseconds: float

    def __str__(self) -> str:
        ours, servers = f"{self.own_cpu_microseconds:.0f}", f"{self.server_cpu_microseconds:.0f}"
        return f"{self.rows_per_second:8.0f} rows/s, CPU a row: {ours} us ours, {servers} us the server's"


async def measure_phase(work: Awaitable[object], server: int, rows: int) -> PhaseFigures:
    """Do the work of one phase and return its figures."""
    began = time.perf_counter(), time.process_time(), children_cpu_seconds(server)
    await work
    ended = time.perf_counter(), time.process_time(), children_cpu_seconds(server)
    wall, ours, servers = (after - before for before, after in zip(began, ended, strict=True))
    return PhaseFigures(rows / wall, ours / rows * 1e6, servers / rows * 1e6)


async def measure_round(
    database: Database, server: int, args: argparse.Namespace, spent: dict[str, float]
) -> tuple[PhaseFigures, PhaseFigures]:
    """Fill the outbox; return the figures of draining it and of chaining its lines in the audit log."""
    at = datetime.now(UTC)
    await database.write(lambda connection: fill_outbox(connection, args.rows, at), seconds=120)
    workers = (drain_outbox(SqlOutbox(database, SECRET), spent) for _ in range(args.workers))
    drain = await measure_phase(asyncio.gather(*workers), server, args.rows)
    chain = SqlAuditChain(database, AuditWriter(SECRET))
    return drain, await measure_phase(chain.chain_entries(), server, args.rows)


def median_figures(phases: Sequence[PhaseFigures]) -> PhaseFigures:
    """Return the median of each figure."""
    names = PhaseFigures.__dataclass_fields__
    return PhaseFigures(*(median(getattr(each, name) for each in phases) for name in names))


async def run_rounds(url: str, server: int, args: argparse.Namespace) -> None:
    """Run the rounds and print their medians."""
    database = connect(url)
    await upgrade_database(database)
    tune_garbage_collector()
    spent: dict[str, float] = {}
    rounds = [await measure_round(database, server, args, spent) for _ in range(args.rounds)]
    await database.close()
    drains, chains = zip(*rounds, strict=True)
    print(f"drain  {median_figures(drains)}  ({args.workers} workers in one process)")
    print(f"chain  {median_figures(chains)}")
    print("bars   20,000 rows/s drained, 20 us of the server's")
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
