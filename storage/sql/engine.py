"""Database interface: run synchronous SQL jobs off the event loop; connect by URL."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url

from storage.sql.postgres import PostgresDatabase
from storage.sql.sqlite import SqliteDatabase
from storage.sql.wakeup import WakeUp

T = TypeVar("T")


class Database(Protocol):
    """Runs jobs, each on one connection.

    A job is synchronous, uses nothing but its connection, and may be run twice (retry). `read` and
    `write` raise Overloaded when too many jobs wait already, Slow after `seconds`, and Down for any
    other database error.
    """

    wakeup: WakeUp
    """Wakes this process's outbox workers; callers that enqueue signal it after the commit."""

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a read-only job and return its result."""

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a transaction and return its result once it is committed."""

    async def listen(self) -> None:
        """Forward the wake-ups of other processes to `wakeup` (PostgreSQL only); run it beside a worker."""

    async def close(self) -> None:
        """Finish the waiting jobs, then release threads and connections."""


def _postgres_database(url: URL) -> PostgresDatabase:
    query = dict(url.query)
    mode = query.pop("sslmode", None)
    driver = url.set(drivername="postgresql+asyncpg", query=query)
    return PostgresDatabase(driver, ssl=mode if isinstance(mode, str) else None)


def _sqlite_database(url: URL) -> SqliteDatabase:
    if url.database in (None, "", ":memory:"):
        return SqliteDatabase(None)
    return SqliteDatabase(Path(str(url.database)))


def connect(url: str) -> Database:
    """Return the database behind a URL; it is opened at first use.

    Accepted: `sqlite:///path`, `sqlite://` (in memory), `postgresql://...` and `postgres://...`, with
    `sslmode`. Raises ValueError for any other URL.
    """
    parsed = make_url(re.sub(r"^postgres:", "postgresql:", url))
    name = parsed.get_backend_name()
    if name == "sqlite":
        return _sqlite_database(parsed)
    if name == "postgresql":
        return _postgres_database(parsed)
    raise ValueError(f"database URL has scheme {name!r}: use sqlite:// or postgresql://")
