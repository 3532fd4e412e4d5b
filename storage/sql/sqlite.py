"""SQLite: readers in worker threads, one writer thread that commits in groups."""

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
WAITING = 1_000
"""Reads that may wait for a thread; the next is shed."""

PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
"""FULL: an acknowledged commit is on the disk."""

OPENINGS = 200
OPENING_SECONDS = 0.02
"""The switch to WAL is refused at once, whatever the timeout, while another process opens the same file."""


def _opened(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, not guessed by the driver
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
    """A `Database` in one file, or in memory when there is no path."""

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
        """Run a job that changes nothing, beside the writer (in memory: in its queue)."""
        if self._shared:
            return await self.write(job, seconds=seconds)
        if self._reading >= WAITING:
            raise Overloaded
        self._reading += 1
        try:
            return await self._answer(job, seconds)
        finally:
            self._reading -= 1

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a savepoint of the next group; back after the group's commit."""
        with translated():
            async with asyncio.timeout(seconds):
                return await self._writer.run(job)

    async def listen(self) -> None:
        """Nothing to hear: other processes on the same file are found by looking."""

    async def close(self) -> None:
        """Commit what waits, end the threads, close every connection."""
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
