"""Direct queries: the rows of the driver are those of SQLAlchemy, and what fails is tried the ordinary way."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, bindparam, select, text

from flows.domain.failures import Down
from storage.sql.direct_query import DirectQuery
from storage.sql.engine import Database, connect
from storage.sql.tables import billing_bills as bills
from tests.storage.billing.test_sql import bill_row, insert_rows

pytestmark = pytest.mark.postgres
NUMBERS: DirectQuery[list[Any]] = DirectQuery(
    select(bills.c.number, bills.c.issued, bills.c.total)
    .where(bills.c.account == bindparam("account"), bills.c.operator == bindparam("operator"))
    .order_by(bills.c.id)
    .limit(2),
    list,
)
VALUES = {"operator": "tunisie-telecom", "account": "a1"}


def select_rows(connection: Connection) -> list[Any]:
    return list(connection.execute(NUMBERS.statement, VALUES).all())


def refuse_job(_connection: Connection) -> list[Any]:
    raise AssertionError("read by SQLAlchemy")


def plain_rows(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]


@pytest.fixture
async def own_database(postgres_database: str) -> AsyncIterator[Database]:
    database = connect(postgres_database)
    await insert_rows(database, bills, *(bill_row(f"TT-{day}", "a1", date(2026, 3, day)) for day in (1, 2, 3)))
    yield database
    await database.close()


async def test_rows_equal_those_of_sqlalchemy_and_constants_are_bound(own_database: Database) -> None:
    direct = plain_rows(await own_database.read_directly(NUMBERS, VALUES, refuse_job))
    assert direct == plain_rows(await own_database.read(select_rows)) and len(direct) == 2


async def test_a_connection_that_broke_is_replaced(own_database: Database) -> None:
    await own_database.read_directly(NUMBERS, VALUES, refuse_job)
    with pytest.raises(Down):
        await own_database.read(
            lambda connection: connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")).all()
        )
    assert len(await own_database.read_directly(NUMBERS, VALUES, select_rows)) == 2


async def test_a_session_ended_behind_our_back_is_replaced(
    own_database: Database, postgres_database: str
) -> None:
    await own_database.read_directly(NUMBERS, VALUES, refuse_job)
    other = connect(postgres_database)
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    mine = f"{ended} AND datname = current_database()"
    assert await other.read(lambda connection: connection.execute(text(mine)).scalar())
    await other.close()
    assert len(await own_database.read_directly(NUMBERS, VALUES, select_rows)) == 2


@pytest.mark.parametrize("method", ["fetch", "prepare"])
async def test_a_broken_exchange_with_the_server_is_begun_anew_on_another_connection(
    own_database: Database, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """As asyncpg says it when a session ends between two messages."""
    working = getattr(asyncpg.Connection, method)
    broken: list[asyncpg.Connection] = []

    async def break_once(connection: asyncpg.Connection, *arguments: Any, **options: Any) -> Any:
        if not broken:
            broken.append(connection)
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        return await working(connection, *arguments, **options)

    await own_database.read_directly(NUMBERS, VALUES, refuse_job)
    monkeypatch.setattr(asyncpg.Connection, method, break_once)
    assert len(await own_database.read(select_rows)) == 2
    assert len(await own_database.read_directly(NUMBERS, VALUES, select_rows)) == 2
    assert broken


async def test_a_table_changed_under_the_statement_is_read_at_once(own_database: Database) -> None:
    await own_database.read_directly(NUMBERS, VALUES, select_rows)
    change = text("ALTER TABLE billing_bills ALTER COLUMN number TYPE varchar(90)")
    await own_database.write(lambda connection: connection.execute(change).close())
    assert len(await own_database.read_directly(NUMBERS, VALUES, select_rows)) == 2
