"""SQLite database: a pool of reader threads and one group-commit writer thread."""

import asyncio
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.pool import NullPool, Pool

from flows.domain.concurrency_limit import ConcurrencyLimit
from storage.sql.direct_query import DirectQuery
from storage.sql.driver_errors import translate_errors
from storage.sql.sqlite_writer import GroupCommitWriter
from storage.sql.wakeup import WakeUp

T = TypeVar("T")

READER_THREADS = 4
MAX_WAITING = 1_000
"""Reads that may wait or run at once; the next raises Overloaded."""

PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
"""Settings of each connection; `synchronous = FULL`: an acknowledged commit is on the disk."""

WAL_ATTEMPTS = 200
WAL_RETRY_SECONDS = 0.02
"""Pause between attempts to switch to WAL.

SQLite refuses the switch at once, whatever `busy_timeout`, while another process opens the same file.
"""


def _configure_connection(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves; the driver must not
    for pragma in PRAGMAS:
        connection.execute(pragma)
    for _ in range(WAL_ATTEMPTS):
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(WAL_RETRY_SECONDS)


def _protect_file(path: Path) -> None:
    """Create the file for its owner only (mode 0600), or take an existing one from all other users.

    SQLite gives its WAL the same mode.
    """
    with suppress(FileExistsError):
        path.touch(0o600, exist_ok=False)
        return
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        with suppress(OSError):
            file.chmod(stat.S_IMODE(file.stat().st_mode) & ~stat.S_IRWXO)


def _build_engine(path: Path | None) -> Engine:
    pool: type[Pool] = StaticPool if path is None else NullPool
    url = "sqlite://" if path is None else f"sqlite:///{path}"
    engine = create_engine(url, poolclass=pool, hide_parameters=True, connect_args={"check_same_thread": False})
    if path is not None:
        event.listen(engine, "do_connect", lambda *_: _protect_file(path))
    event.listen(engine, "connect", _configure_connection)
    return engine


class SqliteDatabase:
    """Implements `Database` in one file, or in memory when `path` is None."""

    def __init__(self, path: Path | None) -> None:
        self.wakeup = WakeUp()
        self._engine = _build_engine(path)
        self._writer = GroupCommitWriter(self._engine)
        self._in_memory = path is None
        self._reader_pool = ThreadPoolExecutor(READER_THREADS, "sqlite-reader")
        self._thread_local = threading.local()
        self._connections: list[Connection] = []
        self._read_limit = ConcurrencyLimit(MAX_WAITING)

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a read-only job in a reader thread (in memory: in the writer's queue)."""
        if self._in_memory:
            return await self.write(job, seconds=seconds)
        async with self._read_limit:
            return await self._run_read(job, seconds)

    async def read_directly(
        self, _query: DirectQuery[T], _values: Mapping[str, Any], job: Callable[[Connection], T]
    ) -> T:
        """Run the job: there is no shorter way."""
        return await self.read(job)

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a savepoint of the next group commit; return after that commit."""
        with translate_errors():
            async with asyncio.timeout(seconds):
                return await self._writer.run_job(job)

    async def listen(self) -> None:
        """Return at once: SQLite has no notifications, workers poll for rows of other processes."""

    async def close(self) -> None:
        """Commit the waiting jobs, stop the threads, close every connection."""
        await asyncio.to_thread(self._reader_pool.shutdown)
        await self._writer.stop()
        for connection in self._connections:
            connection.close()
        self._engine.dispose()

    async def _run_read(self, job: Callable[[Connection], T], seconds: float) -> T:
        loop = asyncio.get_running_loop()
        with translate_errors():
            async with asyncio.timeout(seconds):
                return await loop.run_in_executor(self._reader_pool, self._read_in_thread, job)

    def _read_in_thread(self, job: Callable[[Connection], T]) -> T:
        connection: Connection = getattr(self._thread_local, "connection", None) or self._open_connection()
        try:
            return job(connection)
        finally:
            connection.rollback()

    def _open_connection(self) -> Connection:
        self._thread_local.connection = self._engine.connect()
        self._connections.append(self._thread_local.connection)
        return self._thread_local.connection  # type: ignore[no-any-return]
