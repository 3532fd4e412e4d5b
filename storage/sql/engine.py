"""Database interface: run synchronous SQL jobs off the event loop; connect by URL."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url

from storage.sql.direct_query import DirectQuery
from storage.sql.postgres_url import PostgresTarget, parse_postgres_url
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

    async def read_directly(
        self, query: DirectQuery[T], values: Mapping[str, Any], job: Callable[[Connection], T]
    ) -> T:
        """Run a query past SQLAlchemy where the driver can; `job` does the same where it cannot, or it fails.

        Raises ValueError, TypeError or ArithmeticError when the driver cannot read a value.
        """

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a transaction and return its result once it is committed."""

    async def listen(self) -> None:
        """Forward the wake-ups of other processes to `wakeup` (PostgreSQL only); run it beside a worker."""

    async def close(self) -> None:
        """Finish the waiting jobs, then release threads and connections."""


def _sqlite_database(url: URL) -> SqliteDatabase:
    if url.database in (None, "", ":memory:"):
        return SqliteDatabase(None)
    return SqliteDatabase(Path(str(url.database)))


def _postgres_database(target: PostgresTarget) -> Database:
    """Return a database on a server; its driver, 10 MB with SQLAlchemy's part for it, is loaded here only."""
    opened: Database = import_module("storage.sql.postgres").PostgresDatabase(target)
    return opened


def connect(url: str) -> Database:
    """Return the database behind a URL; it is opened at first use.

    Accepted: `sqlite:///path`, `sqlite://` (in memory), `postgresql://...` and `postgres://...` with
    libpq's parameters. Raises ValueError, which repeats nothing secret, for any other URL.
    """
    scheme, separator, rest = url.partition("://")
    name = scheme.partition("+")[0]
    if name in ("postgresql", "postgres") and separator:
        return _postgres_database(parse_postgres_url(f"postgresql://{rest}"))
    if name == "sqlite" and separator:
        return _sqlite_database(make_url(f"sqlite://{rest}"))
    raise ValueError("the database URL begins with sqlite:// or postgresql://")
