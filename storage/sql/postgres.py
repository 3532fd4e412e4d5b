"""PostgreSQL database by asyncpg: bounded connection pool, timeouts, one retry of transient errors."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.sql.direct_query import DirectQuery
from storage.sql.driver_errors import DRIVER_ERRORS, is_transient, translate_errors
from storage.sql.postgres_connections import (
    DRIVER_EXCEPTIONS,
    SET_LOCAL_TIMEOUTS,
    ConnectionOpener,
    PoolerDetected,
    build_engine,
)
from storage.sql.postgres_url import PostgresTarget
from storage.sql.wakeup import NOTIFY_CHANNEL, WakeUp

T = TypeVar("T")

READ_SECONDS = 5.0
"""Longest time of a direct read."""
LISTEN_RETRY_SECONDS = 1.0
"""Pause before a broken LISTEN connection is reopened; meanwhile workers poll the outbox."""
CLOSE_SECONDS = 1.0
"""How long `close` waits for the server, and for jobs whose callers gave up."""


class PostgresDatabase:
    """Implements `Database` on a PostgreSQL server, directly or through a transaction pooler.

    A caller that gives up, or whose time is over, returns at once: its job is cancelled in the background,
    where the driver may wait for a server that does not respond.
    """

    def __init__(self, target: PostgresTarget) -> None:
        self.wakeup = WakeUp()
        self._opener = ConnectionOpener(target)
        self._engine: AsyncEngine = build_engine(self._opener)
        self._autocommit_engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._abandoned_jobs: set[asyncio.Task[Any]] = set()

    async def read(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a read-only job in autocommit mode, which saves the round trips of a transaction."""
        return await self._run_within(self._run_with_retry(self._run_read, job), seconds)

    async def read_directly(
        self, query: DirectQuery[T], values: Mapping[str, Any], job: Callable[[Connection], T]
    ) -> T:
        """Run a query on the driver's own connection; what fails there is run again as `job`, to be judged."""
        return await self._run_within(
            self._run_with_retry(partial(self._run_directly, query, values), job), READ_SECONDS
        )

    async def write(self, job: Callable[[Connection], T], *, seconds: float = 5.0) -> T:
        """Run a job in a transaction of its own; retry it once after a transient error."""
        return await self._run_within(self._run_with_retry(self._run_write, job), seconds)

    async def listen(self) -> None:
        """Signal `wakeup` when another process enqueues, until cancelled, on a connection outside the pool.

        Returns at once behind a transaction pooler, which passes no notifications on: workers poll.
        """
        while not self._opener.is_pooled:
            with suppress(SQLAlchemyError, *DRIVER_EXCEPTIONS, OSError, TimeoutError, PoolerDetected):
                await self._listen_until_broken()
            await asyncio.sleep(LISTEN_RETRY_SECONDS)

    async def close(self) -> None:
        """Close every connection; one whose server does not respond is cut after `CLOSE_SECONDS`."""
        if self._abandoned_jobs:
            await asyncio.wait(self._abandoned_jobs, timeout=CLOSE_SECONDS)
        await self._opener.close_connections(CLOSE_SECONDS)
        await self._engine.dispose()

    async def _run_within(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        task = asyncio.create_task(work)
        try:
            await asyncio.wait((task,), timeout=seconds)
        finally:
            if not task.done():
                self._abandon_job(task)
        with translate_errors():
            if not task.done():
                raise TimeoutError
            return task.result()

    def _abandon_job(self, task: asyncio.Task[Any]) -> None:
        """Cancel a job and let it end in the background."""
        task.cancel()
        self._abandoned_jobs.add(task)
        task.add_done_callback(self._forget_job)

    def _forget_job(self, task: asyncio.Task[Any]) -> None:
        self._abandoned_jobs.discard(task)
        if not task.cancelled():
            task.exception()

    async def _run_with_retry(self, run: Any, job: Callable[[Connection], T]) -> T:
        try:
            return await run(job)  # type: ignore[no-any-return]
        except PoolerDetected:
            self._use_pooler()
        except DRIVER_ERRORS as error:
            if not is_transient(error):
                raise
        return await run(job)  # type: ignore[no-any-return]

    def _use_pooler(self) -> None:
        """Replace the engine by one for a transaction pooler."""
        self._engine = build_engine(self._opener)
        self._autocommit_engine = self._engine

    async def _run_read(self, job: Callable[[Connection], T]) -> T:
        if self._opener.is_pooled:
            return await self._run_write(job)
        async with self._autocommit_engine.connect() as connection:
            return await connection.run_sync(job)

    async def _run_directly(
        self, query: DirectQuery[T], values: Mapping[str, Any], job: Callable[[Connection], T]
    ) -> T:
        if self._opener.is_pooled:
            return await self._run_write(job)
        async with self._autocommit_engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            with suppress(*DRIVER_EXCEPTIONS, OSError):
                return query.wrap_rows(await driver.fetch(query.postgres_text, *query.list_arguments(values)))
            return await connection.run_sync(job)

    async def _run_write(self, job: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            if self._opener.is_pooled:
                await connection.execute(SET_LOCAL_TIMEOUTS)
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
