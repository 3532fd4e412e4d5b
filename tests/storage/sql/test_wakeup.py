"""LISTEN/NOTIFY wake-up: a commit on one connection wakes a worker that listens on another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import text

from flows.domain.records import ChangeSet, DeferredStep
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database, connect
from storage.sql.wakeup import NOTIFY_CHANNEL
from tests.storage.outbox.test_store import build_notice, enqueue_items
from tests.support.databases import NOW, SECRET

pytestmark = pytest.mark.postgres
LONG_SECONDS = 60.0
TERMINATE_OTHERS = text(
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
async def listening_worker(url: str) -> AsyncIterator[Database]:
    """Yield the database of a worker that listens, once it does: it is woken then."""
    opened = connect(url)
    listening = asyncio.create_task(opened.listen())
    await expect_wakeup(opened)
    yield opened
    listening.cancel()
    await opened.close()


async def expect_wakeup(database: Database) -> None:
    """Fail when no wake-up arrives within ten seconds."""
    async with asyncio.timeout(10):
        await database.wakeup.wait(LONG_SECONDS)


async def test_what_one_process_commits_wakes_another(web: Database, postgres_database: str) -> None:
    async with listening_worker(postgres_database) as other:
        await enqueue_items(SqlLedger(web, SECRET), build_notice("code", "code"))
        await expect_wakeup(other)


async def test_a_listener_that_is_cut_off_listens_again(web: Database, postgres_database: str) -> None:
    async with listening_worker(postgres_database) as other:
        assert await web.read(lambda connection: connection.execute(TERMINATE_OTHERS).scalar()) == 1
        await expect_wakeup(other)
        await enqueue_items(SqlLedger(web, SECRET), build_notice())
        await expect_wakeup(other)


async def test_a_transaction_notifies_once_without_a_payload(web: Database, postgres_database: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ear = await asyncpg.connect(postgres_database)
    await ear.add_listener(NOTIFY_CHANNEL, lambda *said: heard.put_nowait(said[-1]))
    errand = DeferredStep("e", "orange-ro", "bills.latest", b"{}", NOW)
    many = ChangeSet(
        "k", "orange-ro", "s", NOW, messages=(build_notice("a"), build_notice("b")), deferred_steps=(errand,)
    )
    await SqlLedger(web, SECRET).commit(many)
    await web.write(lambda connection: connection.execute(text(f"NOTIFY {NOTIFY_CHANNEL}, 'end'")).close())
    assert [await heard.get(), await heard.get()] == ["", "end"]
    await ear.close()


async def test_a_change_without_messages_notifies_nobody(web: Database, postgres_database: str) -> None:
    async with listening_worker(postgres_database) as other:
        await SqlLedger(web, SECRET).commit(ChangeSet("k", "orange-ro", "s", NOW))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await other.wakeup.wait(LONG_SECONDS)


async def test_a_bulk_insert_notifies_once_and_a_repeated_one_not_at_all(
    web: Database, postgres_database: str
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ear = await asyncpg.connect(postgres_database)
    await ear.add_listener(NOTIFY_CHANNEL, lambda *said: heard.put_nowait(said[-1]))
    posting, page = SqlBulkOutbox(web, SECRET), [build_notice("a"), build_notice("b")]
    assert [await posting.enqueue_notices("orange-ro", page, NOW) for _ in range(2)] == [2, 0]
    await expect_wakeup(web)
    await web.write(lambda connection: connection.execute(text(f"NOTIFY {NOTIFY_CHANNEL}, 'end'")).close())
    assert [await heard.get(), await heard.get()] == ["", "end"]
    await ear.close()
