"""Group commit for SQLite: one writer thread runs queued jobs and commits them together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from flows.domain.call_coalescer import CallCoalescer

T = TypeVar("T")
WriteJob = Callable[[Connection], Any]

MAX_GROUP_JOBS = 256
"""Largest number of jobs in one commit."""
MAX_WAITING = 4_096
"""Jobs that may wait in the queue; the next raises Overloaded."""


class GroupCommitWriter:
    """The only writer of a database file: one thread, started at the first job."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._jobs: CallCoalescer[WriteJob, Any] = CallCoalescer(
            self._commit_in_thread, max_batch=MAX_GROUP_JOBS, max_waiting=MAX_WAITING
        )

    async def run_job(self, job: Callable[[Connection], T]) -> T:
        """Queue a job and return its result after the commit.

        A caller that gives up before its group begins takes the job back. Raises Overloaded when too many
        jobs wait, Down once the writer was stopped.
        """
        result: T = await self._jobs.submit(job)
        return result

    async def stop(self) -> None:
        """Commit the waiting jobs, close the connection and end the thread."""
        await self._jobs.close()
        await asyncio.to_thread(self._close_blocking)

    def _close_blocking(self) -> None:
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    async def _commit_in_thread(self, jobs: Sequence[WriteJob]) -> Sequence[Any]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._commit_group, jobs)

    def _commit_group(self, jobs: Sequence[WriteJob]) -> Sequence[Any]:
        """Run and commit a group; return each job's result or error. When the commit fails, it raises."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            return _run_group(self._connection, jobs)
        except Exception:
            self._connection.rollback()
            raise


def _run_group(connection: Connection, jobs: Sequence[WriteJob]) -> Sequence[Any]:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    results = [_run_in_savepoint(connection, job) for job in jobs]
    connection.commit()
    return results


def _run_in_savepoint(connection: Connection, job: WriteJob) -> Any:
    """Run one job in a savepoint, so that its failure rolls back nothing of the others; return its error."""
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        result = job(connection)
    except Exception as error:  # the job's caller gets it
        result = error
        connection.exec_driver_sql("ROLLBACK TO job")
    connection.exec_driver_sql("RELEASE job")
    return result
