"""Growth benchmark: what a session, a claim, an audit line and a pack cost as there are more of them.

Run: python -m bench.growth [--sessions 1000,10000] [--outbox 1000,10000] [--audit 1000,10000] [--packs 5,10]
Writes the figures as JSON and as a plot (SVG), named by the release, to bench/results or the folder of
--results. CPU of this process and of the database, so that figures of a busy machine can be compared.
A release's record takes --sessions 1000,100000,1000000 --outbox 1000,300000,5000000 --audit 10000,1000000
--packs 5,50,200.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import outbox as outbox_bench
from bench.growth_plot import draw_plot
from bench.startup import copy_packs, measure_load
from flows.domain.ports import SessionKey
from flows.domain.records import AuditEntry
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.outbox.sql_outbox import SqlOutbox
from storage.sessions.memory_store import MemorySessions
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

DEFAULT_SIZES = {"sessions": "1000,10000", "outbox": "1000,10000", "audit": "1000,10000", "packs": "5,10"}
RESULTS = Path(__file__).parent / "results"
STEPS = 1_000
"""Steps measured once the sessions are there."""
CLAIMS, CLAIM_ROWS = 5, 100
AUDIT_PAGE = 1_000
FILL_SECONDS = 3_600.0
SESSION, REPLY = b"s" * 330, b"CON 1. Factura mea"


@dataclass(frozen=True)
class GrowthPoint:
    """What one of them costs when there are so many."""

    series: str
    size: int
    cost: float
    unit: str


async def measure_sessions(size: int) -> GrowthPoint:
    """Return the CPU of opening and saving a session among so many in memory."""
    store = MemorySessions(time.monotonic, max_entries=size + STEPS)
    for number in range(size):
        await _take_step(store, number)
    began = time.process_time()
    for number in range(size, size + STEPS):
        await _take_step(store, number)
    return GrowthPoint("sessions", size, (time.process_time() - began) / STEPS * 1e6, "us a step, in memory")


async def _take_step(store: MemorySessions, number: int) -> None:
    key = SessionKey(f"{number:022}", f"{number:022}")
    opened = await store.open(key, "1")
    if not await store.save(key, opened, "1", SESSION, REPLY):
        raise SystemExit("a session was not saved")


async def measure_outbox(database: Database, server: int, size: int) -> GrowthPoint:
    """Return the CPU, ours and the database's, of claiming a hundred of so many due rows."""
    now = datetime.now(UTC)
    await database.write(
        lambda connection: outbox_bench.fill_outbox(connection, size, now), seconds=FILL_SECONDS
    )
    outbox = SqlOutbox(database, outbox_bench.SECRET)
    began = time.process_time() + outbox_bench.children_cpu_seconds(server)
    for _ in range(CLAIMS):
        if len(await outbox.claim(CLAIM_ROWS, now)) != CLAIM_ROWS:
            raise SystemExit(f"of {size} due rows a claim took fewer than {CLAIM_ROWS}")
    spent = time.process_time() + outbox_bench.children_cpu_seconds(server) - began
    return GrowthPoint("outbox", size, spent / CLAIMS * 1e3, f"ms a claim of {CLAIM_ROWS}")


async def measure_audit(database: Database, server: int, size: int) -> GrowthPoint:
    """Return the CPU, ours and the database's, of verifying a line of a chain of so many."""
    writer, now = AuditWriter(outbox_bench.SECRET), datetime.now(UTC)
    entry = AuditEntry("orange-ro", "+40740000101", "invoice.latest", now, "ussd", "b1")
    await database.write(lambda connection: outbox_bench.fill_outbox(connection, 0, now), seconds=FILL_SECONDS)
    for start in range(0, size, AUDIT_PAGE):
        page = [entry] * min(AUDIT_PAGE, size - start)
        await _append_entries(database, writer, page)
    chain = SqlAuditChain(database, writer)
    await chain.chain_entries()
    began = time.process_time() + outbox_bench.children_cpu_seconds(server)
    verified = await chain.verify_chain(now)
    spent = time.process_time() + outbox_bench.children_cpu_seconds(server) - began
    if verified.faults or verified.chained_count != size:
        raise SystemExit(f"{verified.chained_count} of {size} lines verified, {len(verified.faults)} faults")
    return GrowthPoint("audit", size, spent / size * 1e6, "us a line verified")


async def _append_entries(database: Database, writer: AuditWriter, page: Sequence[AuditEntry]) -> None:
    await database.write(lambda connection: writer.append_entries(connection, page))


def measure_packs(size: int) -> GrowthPoint:
    """Return the CPU of a process that loads so many packs that were checked before."""
    with tempfile.TemporaryDirectory() as folder:
        packs, cache = Path(folder) / "packs", Path(folder) / "cache"
        copy_packs(packs, size)
        measure_load(packs, cache)
        return GrowthPoint("packs", size, measure_load(packs, cache)[0], "s to load all, checked before")


async def measure_stored(database: Database, server: int, sizes: dict[str, list[int]]) -> list[GrowthPoint]:
    """Return the points of what is kept in the database."""
    await upgrade_database(database)
    points = [await measure_outbox(database, server, size) for size in sizes["outbox"]]
    points += [await measure_audit(database, server, size) for size in sizes["audit"]]
    await database.close()
    return points


def measure_growth(sizes: dict[str, list[int]]) -> list[GrowthPoint]:
    """Return the points of all series; a PostgreSQL server is started where the sizes need one."""
    points = [asyncio.run(measure_sessions(size)) for size in sizes["sessions"]]
    points += [measure_packs(size) for size in sizes["packs"]]
    if sizes["outbox"] or sizes["audit"]:
        with run_server(PostgresServer) as server:
            assert server.child
            database = connect(server.create_database("growth"))
            points += asyncio.run(measure_stored(database, server.child.pid, sizes))
    return points


def write_results(points: Sequence[GrowthPoint], folder: Path, release: str) -> tuple[Path, Path]:
    """Write the points as JSON and as a plot; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures, plot = (folder / f"growth-{release}.{ending}" for ending in ("json", "svg"))
    content = {"release": release, "points": [asdict(each) for each in points]}
    figures.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    series: dict[str, list[tuple[float, float]]] = {}
    for each in points:
        series.setdefault(f"{each.series}: {each.unit}", []).append((each.size, each.cost))
    plot.write_text(draw_plot(f"Growth, release {release}", series), encoding="utf-8")
    return figures, plot


def parse_sizes(text: str) -> list[int]:
    """Return sizes in ascending order; none of an empty text."""
    return sorted(int(each) for each in text.split(",") if each)


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth")
    for name, sizes in DEFAULT_SIZES.items():
        parser.add_argument(f"--{name}", default=sizes)
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    points = measure_growth({name: parse_sizes(getattr(args, name)) for name in DEFAULT_SIZES})
    for each in points:
        print(f"{each.series:9} {each.size:9}: {each.cost:9.2f} {each.unit}")
    for path in write_results(points, args.results, version("dialtree")):
        print(path)


if __name__ == "__main__":
    main()
