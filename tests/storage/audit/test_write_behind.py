"""Write-behind buffer: a flush tells whether it was written, and only a failed one is followed by a pause."""

import asyncio

import pytest
from sqlalchemy import Connection

from storage.audit import write_behind
from storage.audit.trail import AuditWriter
from storage.audit.write_behind import WriteBehind
from storage.sql.engine import Database, connect
from tests.support.databases import SECRET

ENOUGH_SECONDS = 20.0


async def test_what_comes_during_a_flush_waits_for_no_retry(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "FLUSH_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(write_behind, "RETRY_INTERVAL_SECONDS", 10 * ENOUGH_SECONDS)
    buffer, loop, done = WriteBehind(database, AuditWriter(SECRET)), asyncio.get_running_loop(), asyncio.Event()

    def second_job(_: Connection) -> None:
        loop.call_soon_threadsafe(done.set)

    def first_job(_: Connection) -> None:
        loop.call_soon_threadsafe(buffer.run_later, second_job)

    buffer.run_later(first_job)
    async with asyncio.timeout(ENOUGH_SECONDS):
        await done.wait()
    await buffer.close()


async def test_a_flush_without_a_database_stays_buffered() -> None:
    buffer = WriteBehind(connect("sqlite:////nowhere/at/all.db"), AuditWriter(SECRET))
    buffer.jobs.append(lambda _: None)
    assert not await buffer.flush() and len(buffer.jobs) == 1
    await buffer.database.close()
