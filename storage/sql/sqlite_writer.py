"""The one writer of an SQLite file: jobs queue up, share a commit, and are answered after it."""

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
Job = Callable[[Connection], Any]

GROUP = 256
"""Jobs that may share one commit."""
WAITING = 4_096
"""Jobs that may wait; the next is shed."""


@dataclass(slots=True)
class _Task:
    job: Job
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


def _tell(tasks: list[_Task]) -> None:
    for task in tasks:
        if task.future.done():
            continue
        if task.error is not None:
            task.future.set_exception(task.error)
        else:
            task.future.set_result(task.value)


def _answer(tasks: list[_Task]) -> None:
    """Wake each event loop once for all its tasks; a closed loop has nobody left to tell."""
    groups: dict[asyncio.AbstractEventLoop, list[_Task]] = defaultdict(list)
    for task in tasks:
        groups[task.loop].append(task)
    for loop, own in groups.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, own)


class Writer:
    """One thread, started at the first job."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended = False

    async def run(self, job: Callable[[Connection], T]) -> T:
        """The job's result, after the commit; Overloaded when too many wait, Down once ended."""
        if self._ended:
            raise Down
        if self._queue.qsize() >= WAITING:
            raise Overloaded
        self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Task(job, loop, future))
        return await future

    def end(self) -> None:
        """Commit what waits, then stop."""
        self._ended = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sqlite-writer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        connection: Connection | None = None
        going = True
        while going:
            tasks, going = self._group()
            connection = self._commit(connection, tasks)
            _answer(tasks)
        if connection is not None:
            connection.close()

    def _group(self) -> tuple[list[_Task], bool]:
        """The next jobs to commit together, and whether there may be more after them."""
        tasks: list[_Task] = []
        task = self._queue.get()
        while task is not None:
            tasks.append(task)
            if len(tasks) == GROUP or self._queue.empty():
                return tasks, True
            task = self._queue.get()
        return tasks, False

    def _commit(self, connection: Connection | None, tasks: list[_Task]) -> Connection | None:
        """Run and commit a group; when the commit itself fails, every job of it failed."""
        if not tasks:
            return connection
        try:
            connection = connection or self._engine.connect()
            _run_all(connection, [task for task in tasks if not task.future.cancelled()])
        except Exception as error:  # the edge of this thread
            for task in tasks:
                task.error = error
            if connection is not None:
                connection.rollback()
        return connection


def _run_all(connection: Connection, tasks: list[_Task]) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    for task in tasks:
        _run(connection, task)
    connection.commit()


def _run(connection: Connection, task: _Task) -> None:
    """One job in its own savepoint, so that one that fails takes nothing of the others with it."""
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        task.value = task.job(connection)
    except Exception as error:  # the job's caller gets it
        task.error = error
        connection.exec_driver_sql("ROLLBACK TO job")
    connection.exec_driver_sql("RELEASE job")
