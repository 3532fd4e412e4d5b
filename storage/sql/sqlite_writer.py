"""Group commit for SQLite: one writer thread runs queued jobs and commits them together."""

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from flows.domain.failures import Down, Overloaded

T = TypeVar("T")
WriteJob = Callable[[Connection], Any]

MAX_GROUP_JOBS = 256
"""Largest number of jobs in one commit."""
MAX_WAITING = 4_096
"""Jobs that may wait in the queue; the next raises Overloaded."""


@dataclass(slots=True)
class _Task:
    job: WriteJob
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


def _resolve_futures(tasks: list[_Task]) -> None:
    for task in tasks:
        if task.future.done():
            continue
        if task.error is not None:
            task.future.set_exception(task.error)
        else:
            task.future.set_result(task.value)


def _notify_loops(tasks: list[_Task]) -> None:
    """Resolve the tasks' futures, with one wake-up for each event loop; closed loops are skipped."""
    groups: dict[asyncio.AbstractEventLoop, list[_Task]] = defaultdict(list)
    for task in tasks:
        groups[task.loop].append(task)
    for loop, loop_tasks in groups.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_futures, loop_tasks)


class GroupCommitWriter:
    """The only writer of a database file: one thread, started at the first job."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False

    async def run_job(self, job: Callable[[Connection], T]) -> T:
        """Queue a job and return its result after the commit.

        Raises Overloaded when too many jobs wait, Down once the writer was stopped.
        """
        if self._stopped:
            raise Down
        if self._queue.qsize() >= MAX_WAITING:
            raise Overloaded
        self._start_thread()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Task(job, loop, future))
        return await future

    def stop(self) -> None:
        """Commit the waiting jobs, then stop the thread; blocks until it ended."""
        self._stopped = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_groups, name="sqlite-writer", daemon=True)
            self._thread.start()

    def _write_groups(self) -> None:
        connection: Connection | None = None
        running = True
        while running:
            tasks, running = self._next_group()
            connection = self._commit_group(connection, tasks)
            _notify_loops(tasks)
        if connection is not None:
            connection.close()

    def _next_group(self) -> tuple[list[_Task], bool]:
        """Return the next jobs to commit together, and False when the writer must stop after them."""
        tasks: list[_Task] = []
        task = self._queue.get()
        while task is not None:
            tasks.append(task)
            if len(tasks) == MAX_GROUP_JOBS or self._queue.empty():
                return tasks, True
            task = self._queue.get()
        return tasks, False

    def _commit_group(self, connection: Connection | None, tasks: list[_Task]) -> Connection | None:
        """Run and commit a group; when the commit fails, every job in it gets the error."""
        if not tasks:
            return connection
        try:
            connection = connection or self._engine.connect()
            _run_group(connection, [task for task in tasks if not task.future.cancelled()])
        except Exception as error:  # the edge of this thread: its callers get the error
            for task in tasks:
                task.error = error
            if connection is not None:
                connection.rollback()
        return connection


def _run_group(connection: Connection, tasks: list[_Task]) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    for task in tasks:
        _run_in_savepoint(connection, task)
    connection.commit()


def _run_in_savepoint(connection: Connection, task: _Task) -> None:
    """Run one job in a savepoint, so that its failure rolls back nothing of the other jobs."""
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        task.value = task.job(connection)
    except Exception as error:  # the job's caller gets it
        task.error = error
        connection.exec_driver_sql("ROLLBACK TO job")
    connection.exec_driver_sql("RELEASE job")
