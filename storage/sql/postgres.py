"""PostgreSQL through asyncpg: a bounded pool, short waits, one more try when a job was unlucky."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.sql.bell import Bell
from storage.sql.faults import transient, translated

T = TypeVar("T")

CONNECTIONS = 10
WAIT_SECONDS = 0.2
"""How long a job waits for a connection before it is shed."""

SERVER_SETTINGS = {
    "application_name": "dialtree",
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
}
"""Milliseconds: what the server stops by itself when one of us hangs."""


def _engine(url: URL, ssl: str | None) -> AsyncEngine:
    arguments: dict[str, Any] = {"timeout": 2.0, "server_settings": SERVER_SETTINGS}
    if ssl is not None:
        arguments["ssl"] = ssl
    return create_async_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        hide_parameters=True,
        connect_args=arguments,
    )


class Postgres:
    """A `Database` on a PostgreSQL server."""

    def __init__(self, url: URL, ssl: str | None = None) -> None:
        self.bell = Bell()
        self._engine = _engine(url, ssl)
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job that changes nothing, without the round trips of a transaction."""
        return await self._patiently(self._read, job, seconds)

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a transaction of its own; run again once when the server asks for it."""
        return await self._patiently(self._write, job, seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _patiently(self, run: Any, job: Callable[[Connection], T], seconds: float) -> T:
        with translated():
            async with asyncio.timeout(seconds):
                try:
                    return await run(job)  # type: ignore[no-any-return]
                except (SQLAlchemyError, OSError) as error:
                    if not transient(error):
                        raise
                return await run(job)  # type: ignore[no-any-return]

    async def _read(self, job: Callable[[Connection], T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(job)

    async def _write(self, job: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(job)
