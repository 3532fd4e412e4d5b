"""SQLite database: a pool of reader threads and one group-commit writer thread."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.pool import NullPool, Pool

from flows.domain.failures import Overloaded
from storage.sql.errors import translated
from storage.sql.sqlite_writer import Writer
from storage.sql.wakeup import Bell

T = TypeVar("T")

READERS = 4
MAX_WAITING = 1_000
"""Reads that may wait or run at once; the next raises Overloaded."""

PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
"""Settings of each connection; `synchronous = FULL`: an acknowledged commit is on the disk."""

OPENINGS = 200
OPENING_SECONDS = 0.02
"""Pause between attempts to switch to WAL.

SQLite refuses the switch at once, whatever `busy_timeout`, while another process opens the same file.
"""


def _opened(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves; the driver must not
    for pragma in PRAGMAS:
        connection.execute(pragma)
    for _ in range(OPENINGS):
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(OPENING_SECONDS)


def _engine(path: Path | None) -> Engine:
    pool: type[Pool] = StaticPool if path is None else NullPool
    url = "sqlite://" if path is None else f"sqlite:///{path}"
    engine = create_engine(url, poolclass=pool, hide_parameters=True, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _opened)
    return engine


class Lite:
    """Implements `Database` in one file, or in memory when `path` is None."""

    def __init__(self, path: Path | None) -> None:
        self.bell = Bell()
        self._engine = _engine(path)
        self._writer = Writer(self._engine)
        self._shared = path is None
        self._readers = ThreadPoolExecutor(READERS, "sqlite-reader")
        self._own = threading.local()
        self._connections: list[Connection] = []
        self._reading = 0

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a read-only job in a reader thread (in memory: in the writer's queue)."""
        if self._shared:
            return await self.write(job, seconds=seconds)
        if self._reading >= MAX_WAITING:
            raise Overloaded
        self._reading += 1
        try:
            return await self._answer(job, seconds)
        finally:
            self._reading -= 1

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a savepoint of the next group commit; return after that commit."""
        with translated():
            async with asyncio.timeout(seconds):
                return await self._writer.run(job)

    async def listen(self) -> None:
        """Return at once: SQLite has no notifications, workers poll for rows of other processes."""

    async def close(self) -> None:
        """Commit the waiting jobs, stop the threads, close every connection."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._readers.shutdown()
        self._writer.end()
        for connection in self._connections:
            connection.close()
        self._engine.dispose()

    async def _answer(self, job: Callable[[Connection], T], seconds: float) -> T:
        loop = asyncio.get_running_loop()
        with translated():
            async with asyncio.timeout(seconds):
                return await loop.run_in_executor(self._readers, self._read, job)

    def _read(self, job: Callable[[Connection], T]) -> T:
        connection: Connection = getattr(self._own, "connection", None) or self._join()
        try:
            return job(connection)
        finally:
            connection.rollback()

    def _join(self) -> Connection:
        self._own.connection = self._engine.connect()
        self._connections.append(self._own.connection)
        return self._own.connection  # type: ignore[no-any-return]
