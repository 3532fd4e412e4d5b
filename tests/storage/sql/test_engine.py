"""SQLite and PostgreSQL behind one interface: transactions, errors, migrations, types, crashes."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, Integer, MetaData, Table, text

from flows.domain.failures import Down, NotFound, Overloaded, Slow
from storage.sql import sqlite, sqlite_writer
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database, upgrade_url
from storage.sql.tables import metadata
from storage.sql.types import ExactAmount, UtcTime
from tests.support.databases import ENGINES

things_table = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime),
    Column("amount", ExactAmount),
)


def create_table(connection: Connection) -> None:
    things_table.create(connection)


def insert_thing(connection: Connection, number: int) -> int:
    connection.execute(things_table.insert(), {"id": number})
    return number


def count_things(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM things")).scalar_one())


async def schema_differences(url: str) -> list[object]:
    """Return the differences between the migrated schema and the one in the code."""

    def compared(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    database = connect(url)
    try:
        return await database.read(compared)
    finally:
        await database.close()


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    yield server.create_database("empty")
    server.drop_database("empty")


async def test_four_concurrent_starts_are_one_upgrade(empty_url: str) -> None:
    await asyncio.gather(*(upgrade_url(empty_url) for _ in range(4)))
    assert await schema_differences(empty_url) == []


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    await upgrade_database(database)


async def test_a_failed_job_is_rolled_back_and_its_neighbours_are_committed(database: Database) -> None:
    await database.write(create_table)

    def half(connection: Connection) -> None:
        insert_thing(connection, 7)
        raise NotFound

    jobs = [database.write(partial(insert_thing, number=number)) for number in range(5)]
    ends = await asyncio.gather(*jobs[:2], database.write(half), *jobs[2:], return_exceptions=True)
    assert [each for each in ends if isinstance(each, Exception)] == [ends[2]]
    assert isinstance(ends[2], NotFound)
    assert await database.write(count_things) == await database.read(count_things) == 5


async def test_what_was_written_can_be_read_at_once(database: Database) -> None:
    await database.write(create_table)
    await database.write(lambda connection: insert_thing(connection, 1))
    assert await database.read(count_things) == 1


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    tunis = datetime(2026, 1, 1, 0, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    await database.write(create_table)
    await database.write(lambda c: c.execute(things_table.insert(), {"id": 1, "at": tunis}).close())
    back = await database.read(lambda c: c.execute(things_table.select()).one().at)
    assert (back, back.tzinfo) == (tunis, UTC)


async def test_a_naive_time_is_refused(database: Database) -> None:
    await database.write(create_table)
    with pytest.raises(Down):
        await database.write(
            lambda c: c.execute(things_table.insert(), {"id": 1, "at": datetime(2026, 1, 1)}).close()
        )


@pytest.mark.parametrize("amount", ["45.230", "0.000", "-12.5", "99999999999.999", "0.1"])
async def test_amounts_keep_every_decimal(database: Database, amount: str) -> None:
    await database.write(create_table)
    await database.write(
        lambda c: c.execute(things_table.insert(), {"id": 1, "amount": Decimal(amount)}).close()
    )
    assert str(await database.read(lambda c: c.execute(things_table.select()).one().amount)) == amount


async def test_a_broken_statement_is_down_and_the_next_job_runs(database: Database) -> None:
    with pytest.raises(Down):
        await database.write(lambda c: c.execute(text("SELECT nothing FROM nowhere")).close())
    with pytest.raises(Down):
        await database.read(lambda c: c.execute(text("SELECT nothing FROM nowhere")).close())
    assert await database.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1


async def test_memory_is_one_database_for_readers_and_writers() -> None:
    database = connect("sqlite://")
    await upgrade_database(database)
    await database.write(create_table)
    await database.write(lambda connection: insert_thing(connection, 1))
    assert await database.read(count_things) == 1
    await database.close()


async def test_a_closed_database_is_down(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'db'}")
    await database.write(create_table)
    await database.close()
    with pytest.raises(Down):
        await database.write(count_things)


async def test_a_file_that_cannot_be_opened_is_down(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'db'}")
    with pytest.raises(Down):
        await database.write(count_things)
    with pytest.raises(Down):
        await database.read(count_things)
    await database.close()


async def test_too_many_waiting_writers_are_shed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "MAX_WAITING", 0)
    monkeypatch.setattr(sqlite, "MAX_WAITING", 0)
    database = connect(f"sqlite:///{tmp_path / 'db'}")
    with pytest.raises(Overloaded):
        await database.write(count_things)
    with pytest.raises(Overloaded):
        await database.read(count_things)
    await database.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "oracle://x"])
def test_other_engines_are_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite"):
        connect(url)


async def test_a_server_that_is_not_there_is_down() -> None:
    database = connect("postgres://nobody@127.0.0.1:9/none?sslmode=disable")
    with pytest.raises(Down):
        await database.read(count_things)
    await database.close()


@pytest.mark.postgres
async def test_sslmode_in_the_url_is_understood(postgres_database: str) -> None:
    url = postgres_database.replace("postgresql:", "postgres:") + "?sslmode=prefer"
    database = connect(url)
    assert await database.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
    await database.close()


@pytest.mark.postgres
async def test_F19_an_exhausted_pool_sheds_after_a_fifth_of_a_second(postgres_database: str) -> None:
    database = connect(postgres_database)
    sleep = text("SELECT pg_sleep(1)")
    holders = [asyncio.create_task(database.read(lambda c: c.execute(sleep).close())) for _ in range(10)]
    await asyncio.sleep(0.3)
    with pytest.raises(Overloaded):
        await database.read(lambda c: c.execute(text("SELECT 1")).close())
    await asyncio.gather(*holders)
    await database.close()


@pytest.mark.postgres
async def test_a_job_past_its_time_is_slow(postgres_database: str) -> None:
    database = connect(postgres_database)
    with pytest.raises(Slow):
        await database.read(lambda c: c.execute(text("SELECT pg_sleep(5)")).close(), seconds=0.1)
    await database.close()


@pytest.mark.postgres
async def test_F20_a_terminated_connection_is_tried_once_more(postgres_database: str) -> None:
    database = connect(postgres_database)
    await database.write(create_table)
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    runs: list[int] = []

    def unlucky(connection: Connection) -> int:
        runs.append(1)
        if len(runs) == 1:
            connection.execute(end)
        return insert_thing(connection, 1)

    assert await database.write(unlucky) == 1
    assert len(runs) == 2 and await database.read(count_things) == 1
    await database.close()


@pytest.mark.postgres
async def test_F16_of_two_crossed_transactions_both_end_well(postgres_database: str) -> None:
    database = connect(postgres_database)
    await database.write(create_table)
    for number in (1, 2):
        await database.write(partial(insert_thing, number=number))

    def crossed(connection: Connection, first: int, second: int) -> None:
        for number in (first, second):
            connection.execute(
                things_table.update().where(things_table.c.id == number).values(amount=Decimal(1))
            )
            connection.execute(text("SELECT pg_sleep(0.2)"))

    await asyncio.gather(
        database.write(lambda connection: crossed(connection, 1, 2)),
        database.write(lambda connection: crossed(connection, 2, 1)),
    )
    await database.close()


CHILD_PROGRAM = """
import asyncio, sys
from datetime import UTC, datetime
from flows.domain.records import ChangeSet, OutboundMessage, Secret
from storage.ledger.sql_ledger import SqlLedger
from storage.sql.engine import connect

async def main(url):
    ledger = SqlLedger(connect(url), Secret("x"))
    async def one(start):
        for number in range(start, 10**9, 8):
            key, at = f"change-{number}", datetime.now(UTC)
            notices = tuple(
                OutboundMessage(f"{key}/{part}", "o", "+40740000101", "sms", "notice", "text", "ro")
                for part in "ab"
            )
            await ledger.commit(ChangeSet(key, "o", "s", at, messages=notices))
            print(key, flush=True)
    await asyncio.gather(*map(one, range(8)))

asyncio.run(main(sys.argv[1]))
"""


def kill_while_committing(url: str) -> list[str]:
    """Kill the child while it commits; return the keys it reported as committed."""
    child = subprocess.Popen([sys.executable, "-c", CHILD_PROGRAM, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(200)]
    child.kill()
    told += [line.strip() for line in child.stdout if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    return told


async def test_F1_kill_9_loses_no_acknowledged_change_and_leaves_none_half(
    database: Database, database_url: str
) -> None:
    told = await asyncio.to_thread(kill_while_committing, database_url)
    kept = set(await database.read(lambda c: c.execute(text("SELECT key FROM changes")).scalars().all()))
    rows = await database.read(lambda c: c.execute(text("SELECT key FROM outbox")).scalars().all())
    assert set(told) <= kept
    assert sorted(rows) == sorted(f"{key}/{part}" for key in kept for part in "ab")
