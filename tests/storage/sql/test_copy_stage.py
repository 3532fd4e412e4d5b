"""COPY into a stage: all or nothing, once when the connection breaks, behind a pooler too."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Connection, text

from flows.domain.failures import Down
from storage.sql.copy_stage import StagedInsert
from storage.sql.engine import Database, connect
from tests.storage.sql.test_postgres_faults import pooled_url as pooled_url
from tests.support.databases import NOW

pytestmark = pytest.mark.postgres
INSERT_OPT_OUTS = StagedInsert(
    "INSERT INTO opt_outs SELECT :operator, given.number, given.at FROM {rows} ON CONFLICT DO NOTHING",
    "opt_outs_stage",
    {"number": "varchar", "at": "timestamptz"},
)


@pytest.fixture
async def own_database(postgres_database: str) -> AsyncIterator[Database]:
    database = connect(postgres_database)
    yield database
    await database.close()


def insert_numbers(connection: Connection, *numbers: str) -> int:
    rows = [(number, NOW) for number in numbers]
    return INSERT_OPT_OUTS.insert_rows(connection, rows, operator="orange-ro")


async def count_rows(database: Database) -> int:
    query = text("SELECT count(*) FROM opt_outs WHERE operator = 'orange-ro'")
    return await database.read(lambda connection: connection.scalar(query) or 0)


async def test_only_what_is_new_is_counted(own_database: Database) -> None:
    pages = [("1", "2"), ("2", "3", "3"), ("1",), ()]
    new = [await own_database.write(lambda c, page=page: insert_numbers(c, *page)) for page in pages]  # type: ignore[misc]
    assert new == [2, 1, 0, 0] and await count_rows(own_database) == 3


def rows_until_death(connection: Connection, deaths: Iterator[object]) -> Iterator[tuple[object, ...]]:
    """Yield rows; as long as there are deaths left, the connection breaks after the first."""
    yield "1", NOW
    if next(deaths, None):
        connection.connection.dbapi_connection.driver_connection.terminate()  # type: ignore[union-attr]
    yield "2", NOW


def insert_dying(connection: Connection, deaths: Iterator[object]) -> int:
    return INSERT_OPT_OUTS.insert_rows(connection, rows_until_death(connection, deaths), operator="orange-ro")


async def test_a_connection_lost_within_the_copy_is_replaced_and_each_row_written_once(
    own_database: Database,
) -> None:
    deaths = iter(["first attempt"])
    assert await own_database.write(lambda connection: insert_dying(connection, deaths)) == 2
    assert await count_rows(own_database) == 2


async def test_a_row_that_the_server_refuses_is_a_failure_and_writes_nothing(own_database: Database) -> None:
    with pytest.raises(Down):
        await own_database.write(lambda connection: insert_numbers(connection, "1", "with\0NUL"))
    assert await count_rows(own_database) == 0
    assert await own_database.write(lambda connection: insert_numbers(connection, "1")) == 1


async def test_behind_a_pooler_each_transaction_has_a_stage_of_its_own(pooled_url: str) -> None:
    database = connect(pooled_url)
    new = [await database.write(lambda c, n=n: insert_numbers(c, str(n), str(n + 1))) for n in range(5)]  # type: ignore[misc]
    await database.close()
    assert new == [2, 1, 1, 1, 1]
