"""A migrated database for each test: SQLite always, PostgreSQL where it is installed."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, text

from flows.domain.records import Secret
from storage.demo.demo_marker import add_marker, has_marker
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_url
from tests.support.server_processes import run_in_own_loop

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
SECRET = Secret("a secret for the tests, nowhere else")
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Password hasher with minimal cost: at full cost the tests would spend a quarter of their time hashing."""

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


def migrate_database(url: str) -> None:
    """Migrate a database to the current schema."""
    run_in_own_loop(lambda: upgrade_url(url))


@pytest.fixture(scope="session")
def sqlite_migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty SQLite file that serves as a template."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate_database(f"sqlite:///{path}")
    return path


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a migrated database that belongs to this test alone."""
    if request.param == "sqlite":
        copied = shutil.copy(request.getfixturevalue("sqlite_migrated"), tmp_path / "dialtree.db")
        return f"sqlite:///{copied}"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Provide that database, open."""
    opened = connect(database_url)
    yield opened
    await opened.close()


async def mark_as_demo(database: Database) -> None:
    """Mark a migrated database as the demo's own, so that demo data may be written to it."""

    def job(connection: Connection) -> None:
        if not has_marker(connection):
            add_marker(connection)

    await database.write(job)


async def mark_url_as_demo(url: str) -> None:
    """Open the database behind a URL and mark it as the demo's own."""
    database = connect(url)
    await mark_as_demo(database)
    await database.close()


async def count_rows(database: Database, table: str) -> int:
    """Return the number of rows of a table."""
    count = text(f"SELECT count(*) FROM {table}")
    return await database.read(lambda connection: int(connection.execute(count).scalar_one()))


async def dump_table(database: Database, table: str) -> str:
    """Return the whole content of a table as text, for searching."""
    everything = text(f"SELECT * FROM {table}")
    return repr(await database.read(lambda connection: connection.execute(everything).all()))
