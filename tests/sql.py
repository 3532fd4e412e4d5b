"""A migrated database for each test: SQLite always, PostgreSQL where it is installed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from flows.records import Secret
from storage.sql.engine import Database, connect
from storage.sql.upgrade import upgrade

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
SECRET = Secret("a secret for the tests, nowhere else")

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that is this test's alone."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'dialtree.db'}"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same, migrated and open."""
    opened = connect(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


async def rows_in(database: Database, table: str) -> int:
    """How many rows a table has."""
    count = text(f"SELECT count(*) FROM {table}")
    return await database.read(lambda connection: int(connection.execute(count).scalar_one()))


async def dumped(database: Database, table: str) -> str:
    """Everything a table holds, as text to search."""
    everything = text(f"SELECT * FROM {table}")
    return repr(await database.read(lambda connection: connection.execute(everything).all()))
