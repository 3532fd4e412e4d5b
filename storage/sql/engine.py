"""A database: synchronous jobs on one connection each, run away from the event loop."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url

from storage.sql.postgres import Postgres
from storage.sql.sqlite import Lite
from storage.sql.wakeup import Bell

T = TypeVar("T")


class Database(Protocol):
    """Runs jobs. A job is synchronous, touches nothing but its connection, and may be run twice.

    Every call raises Overloaded when too many wait already, Slow after `seconds`, Down otherwise.
    """

    bell: Bell
    """Rung by those who enqueue, after their commit."""

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job that changes nothing."""

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a transaction; back only after it is committed."""

    async def listen(self) -> None:
        """Pass on the rings of other processes to `bell`, where the engine can; run beside a worker."""

    async def close(self) -> None:
        """Finish what waits, then give threads and connections back."""


def _postgres(url: URL) -> Postgres:
    query = dict(url.query)
    mode = query.pop("sslmode", None)
    driver = url.set(drivername="postgresql+asyncpg", query=query)
    return Postgres(driver, ssl=mode if isinstance(mode, str) else None)


def _lite(url: URL) -> Lite:
    if url.database in (None, "", ":memory:"):
        return Lite(None)
    return Lite(Path(str(url.database)))


def connect(url: str) -> Database:
    """The database behind a URL, opened at first use.

    `sqlite:///path`, `sqlite://` (memory), `postgresql://...` or `postgres://...`, `sslmode` included.
    ValueError for any other.
    """
    parsed = make_url(re.sub(r"^postgres:", "postgresql:", url))
    name = parsed.get_backend_name()
    if name == "sqlite":
        return _lite(parsed)
    if name == "postgresql":
        return _postgres(parsed)
    raise ValueError("the database must be sqlite:// or postgresql://")
