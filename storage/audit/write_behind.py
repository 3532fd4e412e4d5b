"""Write-behind buffer: audit entries and small jobs flushed in one transaction every 0.2 s."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from flows.domain.failures import Failure
from flows.domain.records import Deed
from storage.audit.trail import Auditor
from storage.sql.engine import Database

log = logging.getLogger("dialtree.audit")
GATHER_SECONDS = 0.2
"""Time between flushes; a process that crashes loses the entries of that time."""
AGAIN_SECONDS = 1.0
MOST = 20_000
"""Entries, and jobs, buffered while the database is unavailable; more are dropped and logged."""

Job = Callable[[Connection], None]
T = TypeVar("T")


@dataclass(slots=True)
class Notebook:
    """Buffers audit entries and small jobs and writes them together."""

    database: Database = field(repr=False)
    auditor: Auditor
    deeds: list[Deed] = field(default_factory=list, repr=False)
    jobs: list[Job] = field(default_factory=list, repr=False)
    writing: asyncio.Task[None] | None = field(default=None, repr=False)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held during a flush, so that no entry is written twice."""

    def note(self, deed: Deed) -> None:
        """Add an audit entry; takes a microsecond and raises nothing."""
        self._add(self.deeds, deed)

    def later(self, job: Job) -> None:
        """Run a small job at the next flush; it may be lost in a crash and may run twice."""
        self._add(self.jobs, job)

    async def close(self) -> None:
        """Stop the flush task and write what is buffered."""
        if self.writing is not None:
            self.writing.cancel()
            await asyncio.gather(self.writing, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Write what is buffered now, after a running flush; it stays buffered if the database fails."""
        async with self.alone:
            await self._flush()

    async def _flush(self) -> None:
        deeds, jobs = self.deeds[:], self.jobs[:]
        if not deeds and not jobs:
            return

        def write(connection: Connection) -> None:
            for job in jobs:
                job(connection)
            self.auditor.write(connection, deeds)

        try:
            await self.database.write(write)
        except Failure as failure:
            log.error("audit.flush_failed", extra={"failure": type(failure).__name__})
            return
        del self.deeds[: len(deeds)], self.jobs[: len(jobs)]

    def _add(self, notes: list[T], one: T) -> None:
        if len(notes) >= MOST:
            log.error("audit.entry_dropped")
            return
        notes.append(one)
        if self.writing is None or self.writing.done():
            self.writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        pause = GATHER_SECONDS
        while self.deeds or self.jobs:
            await asyncio.sleep(pause)
            await asyncio.shield(self.flush())  # a flush cancelled half-way would write its entries again
            pause = AGAIN_SECONDS
