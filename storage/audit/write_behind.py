"""The notebook: what need not be on the disk before an answer, gathered for a moment, written together."""

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
"""How long a note waits for others; a process that dies loses that much."""
AGAIN_SECONDS = 1.0
MOST = 20_000
"""Notes kept while the database is out; more are lost, and the log says so."""

Job = Callable[[Connection], None]
T = TypeVar("T")


@dataclass(slots=True)
class Notebook:
    """Lines of the audit trail and small jobs, one transaction for all that came in a moment."""

    database: Database = field(repr=False)
    auditor: Auditor
    deeds: list[Deed] = field(default_factory=list, repr=False)
    jobs: list[Job] = field(default_factory=list, repr=False)
    writing: asyncio.Task[None] | None = field(default=None, repr=False)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held while notes are written: nobody else writes the same ones."""

    def note(self, deed: Deed) -> None:
        """Add a line; a microsecond, and never an error."""
        self._add(self.deeds, deed)

    def later(self, job: Job) -> None:
        """Run a small job soon: one that may be lost, and run twice."""
        self._add(self.jobs, job)

    async def close(self) -> None:
        """Write what is left."""
        if self.writing is not None:
            self.writing.cancel()
            await asyncio.gather(self.writing, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Write what there is now, after what is being written; it stays when the database is out."""
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
            log.error("notes wait", extra={"failure": type(failure).__name__})
            return
        del self.deeds[: len(deeds)], self.jobs[: len(jobs)]

    def _add(self, notes: list[T], one: T) -> None:
        if len(notes) >= MOST:
            log.error("note lost")
            return
        notes.append(one)
        if self.writing is None or self.writing.done():
            self.writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        pause = GATHER_SECONDS
        while self.deeds or self.jobs:
            await asyncio.sleep(pause)
            await asyncio.shield(self.flush())  # broken off, its notes would be written a second time
            pause = AGAIN_SECONDS
