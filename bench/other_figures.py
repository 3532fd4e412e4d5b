"""Figures that are no ratios of a bare server: the outbox, bill notices, start-up and growth, in small sizes.

Each is measured by its own bench module, which takes larger sizes.
"""

import asyncio
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.billing import measure_bill_run, store_cycle
from bench.growth import measure_growth
from bench.outbox import measure_round
from bench.startup import copy_packs, measure_help, measure_load
from gateway.server.garbage_collection import tune_garbage_collector
from storage.sql.engine import connect
from storage.sql.migrate import upgrade_database
from tests.support.server_processes import PostgresServer, run_server

OUTBOX_ROWS, OUTBOX_WORKERS = 10_000, 4
NOTICE_COUNT = 20_000
PACK_COUNT = 50
GROWTH_SIZES = {"sessions": [1_000, 100_000], "outbox": [1_000, 20_000], "audit": [1_000, 10_000], "packs": []}


@dataclass(frozen=True, slots=True)
class OtherFigure:
    """One figure with its unit."""

    name: str
    value: float
    unit: str


def measure_others() -> tuple[OtherFigure, ...]:
    """Return all of them; a PostgreSQL server is started for those that need one."""
    with run_server(PostgresServer) as server:
        assert server.child
        notices = asyncio.run(_measure_notices(server.create_database("notices"), server.child.pid))
        drained = asyncio.run(_measure_outbox(server.create_database("outbox"), server.child.pid))
    return (*drained, *notices, *_measure_startup(), *_measure_growth())


async def _measure_outbox(url: str, server: int) -> list[OtherFigure]:
    """Return what draining costs; the garbage collector is tuned from now on, as in a worker."""
    database = connect(url)
    await upgrade_database(database)
    tune_garbage_collector()
    drain, chain = await measure_round(
        database, server, Namespace(rows=OUTBOX_ROWS, workers=OUTBOX_WORKERS), {}
    )
    await database.close()
    return [
        OtherFigure("outbox on PostgreSQL, drained", drain.rows_per_second, "rows/s"),
        OtherFigure("outbox: our processor time", drain.own_cpu_microseconds, "us a row"),
        OtherFigure("outbox: PostgreSQL's processor time", drain.server_cpu_microseconds, "us a row"),
        OtherFigure("audit line chained: our processor time", chain.own_cpu_microseconds, "us a row"),
        OtherFigure("audit line chained: PostgreSQL's", chain.server_cpu_microseconds, "us a row"),
    ]


async def _measure_notices(url: str, server: int) -> list[OtherFigure]:
    """Return what the first run over all bills costs."""
    database = connect(url)
    cycles = await store_cycle(database, NOTICE_COUNT)
    figures = [each async for each in measure_bill_run(database, server, cycles)]
    await database.close()
    for each in figures:
        each.require_complete()
    return [
        OtherFigure("notices of a bill run, enqueued", figures[0].per_second, "notices/s"),
        OtherFigure("notices: our processor time", figures[0].own_microseconds, "us a notice"),
        OtherFigure("notices: PostgreSQL's processor time", figures[0].server_microseconds, "us a notice"),
    ]


def _measure_startup() -> list[OtherFigure]:
    measure_help("dial")  # compiled now, as an installed command is
    with tempfile.TemporaryDirectory() as folder:
        packs, cache = Path(folder) / "packs", Path(folder) / "cache"
        copy_packs(packs, PACK_COUNT)
        measure_load(packs, cache)
        seconds, megabytes = measure_load(packs, cache)
    return [
        OtherFigure(f"{PACK_COUNT} packs checked before, loaded", seconds, "s"),
        OtherFigure("memory of that process", megabytes, "MB"),
        OtherFigure("`dialtree dial --help`", measure_help("dial"), "s"),
    ]


def _measure_growth() -> Sequence[OtherFigure]:
    return [
        OtherFigure(f"growth: {each.series}, {each.size:,}", each.cost, each.unit)
        for each in measure_growth(GROWTH_SIZES)
    ]
