"""PostgreSQL database by asyncpg: bounded connection pool, timeouts, one retry of transient errors."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.sql.driver_errors import is_transient, translate_errors
from storage.sql.wakeup import NOTIFY_CHANNEL, WakeUp

T = TypeVar("T")

POOL_SIZE = 10
POOL_TIMEOUT_SECONDS = 0.2
"""How long a job waits for a free connection; then it raises Overloaded."""

LISTEN_RETRY_SECONDS = 1.0
"""Pause before a broken LISTEN connection is reopened; meanwhile workers poll the outbox."""

SERVER_SETTINGS = {
    "application_name": "dialtree",
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
}
"""Session settings; timeouts in milliseconds, enforced by the server when a client hangs."""


def _build_engine(url: URL, ssl: str | None) -> AsyncEngine:
    arguments: dict[str, Any] = {"timeout": 2.0, "server_settings": SERVER_SETTINGS}
    if ssl is not None:
        arguments["ssl"] = ssl
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        hide_parameters=True,
        connect_args=arguments,
    )


class PostgresDatabase:
    """Implements `Database` on a PostgreSQL server."""

    def __init__(self, url: URL, ssl: str | None = None) -> None:
        self.wakeup = WakeUp()
        self._engine = _build_engine(url, ssl)
        self._autocommit_engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a read-only job in autocommit mode, which saves the round trips of a transaction."""
        return await self._run_with_retry(self._run_read, job, seconds)

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a transaction of its own; retry it once after a transient error."""
        return await self._run_with_retry(self._run_write, job, seconds)

    async def listen(self) -> None:
        """Signal `wakeup` when another process enqueues, until cancelled, on a connection outside the pool."""
        while True:
            with suppress(SQLAlchemyError, PostgresError, InterfaceError, OSError, TimeoutError):
                await self._listen_until_broken()
            await asyncio.sleep(LISTEN_RETRY_SECONDS)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _run_with_retry(self, run: Any, job: Callable[[Connection], T], seconds: float) -> T:
        with translate_errors():
            async with asyncio.timeout(seconds):
                try:
                    return await run(job)  # type: ignore[no-any-return]
                except (SQLAlchemyError, OSError) as error:
                    if not is_transient(error):
                        raise
                return await run(job)  # type: ignore[no-any-return]

    async def _run_read(self, job: Callable[[Connection], T]) -> T:
        async with self._autocommit_engine.connect() as connection:
            return await connection.run_sync(job)

    async def _run_write(self, job: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(job)

    async def _listen_until_broken(self) -> None:
        """Listen until the connection breaks; wake once at the start, for notifications missed before."""
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await connection.run_sync(lambda pooled: pooled.detach())
            broken = asyncio.Event()
            driver.add_termination_listener(lambda _: broken.set())
            await driver.add_listener(NOTIFY_CHANNEL, lambda *_: self.wakeup.wake_waiters())
            self.wakeup.wake_waiters()
            await broken.wait()
