"""Figures of bulk runs into the outbox: rate, processor time, growth of memory, nothing lost."""

import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import func, select

from bench.outbox import children_cpu_seconds
from storage.sql.engine import Database
from storage.sql.tables import outbox

COUNT_ROWS = select(func.count()).select_from(outbox)


@dataclass(frozen=True, slots=True)
class BulkFigures:
    """How fast rows were enqueued, and what that took."""

    given: int
    """Rows given to the outbox."""
    stored: int
    """Rows in the outbox afterwards."""
    per_second: float
    own_microseconds: float
    """Processor time a row in this process; moved less by other load than the rate."""
    server_microseconds: float
    """Processor time a row in the server's processes."""
    growth_mb: float
    """Growth of this process's peak resident memory."""

    def __str__(self) -> str:
        ours, servers = f"{self.own_microseconds:.0f}", f"{self.server_microseconds:.0f}"
        cpu = f"CPU a row: {ours} us ours, {servers} us the server's"
        rows = f"{self.given} given, {self.stored} stored, {self.per_second:.0f} a second"
        return f"{rows}; {cpu}; memory +{self.growth_mb:.0f} MB"

    def require_complete(self) -> None:
        """Raise SystemExit when a row of the outbox is missing or doubled."""
        if self.given != self.stored:
            raise SystemExit("a row of the outbox is missing or doubled")


async def measure_bulk_run(run: Callable[[], Awaitable[int]], database: Database, server: int) -> BulkFigures:
    """Do a run that returns how many rows it gave; `server` is the process id of the PostgreSQL server."""
    memory, began = _peak_memory_mb(), (time.perf_counter(), time.process_time(), children_cpu_seconds(server))
    given = await run()
    ended = time.perf_counter(), time.process_time(), children_cpu_seconds(server)
    wall, ours, servers = (after - before for before, after in zip(began, ended, strict=True))
    return BulkFigures(
        given=given,
        stored=await database.read(lambda connection: connection.scalar(COUNT_ROWS) or 0),
        per_second=given / wall,
        own_microseconds=ours / given * 1e6,
        server_microseconds=servers / given * 1e6,
        growth_mb=_peak_memory_mb() - memory,
    )


def _peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
