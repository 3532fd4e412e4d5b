"""Write-behind buffer: audit entries and small jobs flushed in one transaction every 0.2 s."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from flows.domain.failures import Failure
from flows.domain.records import AuditEntry
from storage.audit.trail import AuditWriter
from storage.sql.engine import Database

log = logging.getLogger("dialtree.audit")
FLUSH_INTERVAL_SECONDS = 0.2
"""Time between flushes; a process that crashes loses the entries of that time."""
RETRY_INTERVAL_SECONDS = 1.0
"""Time to the next flush where the database has failed."""
MAX_PENDING = 20_000
"""Entries, and jobs, buffered while the database is unavailable; more are dropped and logged."""

DeferredJob = Callable[[Connection], None]
T = TypeVar("T")


@dataclass(slots=True)
class WriteBehind:
    """Buffers audit entries and small jobs and writes them together."""

    database: Database = field(repr=False)
    audit_writer: AuditWriter
    entries: list[AuditEntry] = field(default_factory=list, repr=False)
    jobs: list[DeferredJob] = field(default_factory=list, repr=False)
    flush_task: asyncio.Task[None] | None = field(default=None, repr=False)
    feeders: list[Callable[[], None]] = field(default_factory=list, repr=False)
    """Hand over, when called, what they gather before it is written."""
    flush_lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held during a flush, so that no entry is written twice."""

    def record_entry(self, entry: AuditEntry) -> None:
        """Add an audit entry; takes a microsecond and raises nothing."""
        self._add_pending(self.entries, entry)

    async def write_entry(self, entry: AuditEntry) -> None:
        """Write an audit entry now, before what it permits is done; raises Failure if the database fails."""
        await self.database.write(lambda connection: self.audit_writer.append_entries(connection, (entry,)))

    def run_later(self, job: DeferredJob) -> None:
        """Run a small job at the next flush; it may be lost in a crash and may run twice."""
        self._add_pending(self.jobs, job)

    async def close(self) -> None:
        """Stop the flush task and write what is buffered."""
        if self.flush_task is not None:
            self.flush_task.cancel()
            await asyncio.gather(self.flush_task, return_exceptions=True)
        await self.write_pending()

    async def write_pending(self) -> None:
        """Write everything this process holds, so that it can be read; it stays if the database fails."""
        for hand_over in self.feeders:
            hand_over()
        await self.flush()

    async def flush(self) -> bool:
        """Write what is buffered now, after a running flush; False if the database fails: it stays buffered."""
        async with self.flush_lock:
            return await self._flush_pending()

    async def _flush_pending(self) -> bool:
        entries, jobs = self.entries[:], self.jobs[:]
        if not entries and not jobs:
            return True

        def write(connection: Connection) -> None:
            for job in jobs:
                job(connection)
            self.audit_writer.append_entries(connection, entries)

        try:
            await self.database.write(write)
        except Failure as failure:
            log.error("audit.flush_failed", extra={"failure": type(failure).__name__})
            return False
        del self.entries[: len(entries)], self.jobs[: len(jobs)]
        return True

    def _add_pending(self, pending: list[T], item: T) -> None:
        if len(pending) >= MAX_PENDING:
            log.error("audit.entry_dropped")
            return
        pending.append(item)
        if self.flush_task is None or self.flush_task.done():
            self.flush_task = asyncio.get_running_loop().create_task(self._flush_until_empty())

    async def _flush_until_empty(self) -> None:
        pause = FLUSH_INTERVAL_SECONDS
        while self.entries or self.jobs:
            await asyncio.sleep(pause)
            # a flush cancelled half-way would write its entries again
            is_written = await asyncio.shield(self.flush())
            pause = FLUSH_INTERVAL_SECONDS if is_written else RETRY_INTERVAL_SECONDS
