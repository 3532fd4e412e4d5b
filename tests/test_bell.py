"""LISTEN/NOTIFY wake-up: a commit on one connection wakes a worker that listens on another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import text

from flows.domain.records import Change, Errand
from storage.ledger.store import SqlLedger
from storage.outbox.bulk_enqueue import SqlPosting
from storage.sql.engine import Database, connect
from storage.sql.wakeup import CHANNEL
from tests.sql import NOW, SECRET
from tests.test_outbox import enqueue, notice

pytestmark = pytest.mark.postgres
LONG = 60.0
OTHERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
)


@pytest.fixture
async def web(postgres_database: str) -> AsyncIterator[Database]:
    """Provide the database as a web process has it open."""
    opened = connect(postgres_database)
    yield opened
    await opened.close()


@asynccontextmanager
async def worker(url: str) -> AsyncIterator[Database]:
    """Yield the database of a worker that listens, once it does: it is woken then."""
    opened = connect(url)
    listening = asyncio.create_task(opened.listen())
    await rung(opened)
    yield opened
    listening.cancel()
    await opened.close()


async def rung(database: Database) -> None:
    """Fail when no wake-up arrives within ten seconds."""
    async with asyncio.timeout(10):
        await database.bell.wait(LONG)


async def test_what_one_process_commits_wakes_another(web: Database, postgres_database: str) -> None:
    async with worker(postgres_database) as other:
        await enqueue(SqlLedger(web, SECRET), notice("code", "code"))
        await rung(other)


async def test_a_listener_that_is_cut_off_listens_again(web: Database, postgres_database: str) -> None:
    async with worker(postgres_database) as other:
        assert await web.read(lambda connection: connection.execute(OTHERS).scalar()) == 1
        await rung(other)
        await enqueue(SqlLedger(web, SECRET), notice())
        await rung(other)


async def test_a_transaction_notifies_once_without_a_payload(web: Database, postgres_database: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ear = await asyncpg.connect(postgres_database)
    await ear.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[-1]))
    errand = Errand("e", "orange-ro", "bills.latest", b"{}", NOW)
    many = Change("k", "orange-ro", "s", NOW, notices=(notice("a"), notice("b")), errands=(errand,))
    await SqlLedger(web, SECRET).commit(many)
    await web.write(lambda connection: connection.execute(text(f"NOTIFY {CHANNEL}, 'end'")).close())
    assert [await heard.get(), await heard.get()] == ["", "end"]
    await ear.close()


async def test_a_change_without_messages_notifies_nobody(web: Database, postgres_database: str) -> None:
    async with worker(postgres_database) as other:
        await SqlLedger(web, SECRET).commit(Change("k", "orange-ro", "s", NOW))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await other.bell.wait(LONG)


async def test_a_bulk_insert_notifies_once_and_a_repeated_one_not_at_all(
    web: Database, postgres_database: str
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ear = await asyncpg.connect(postgres_database)
    await ear.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[-1]))
    posting, page = SqlPosting(web, SECRET), [notice("a"), notice("b")]
    assert [await posting.post("orange-ro", page, NOW) for _ in range(2)] == [2, 0]
    await rung(web)
    await web.write(lambda connection: connection.execute(text(f"NOTIFY {CHANNEL}, 'end'")).close())
    assert [await heard.get(), await heard.get()] == ["", "end"]
    await ear.close()
