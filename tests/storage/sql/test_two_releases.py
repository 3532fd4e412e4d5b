"""The last release on this release's schema: beside it during an upgrade, and after a rollback (decision 0320).

`release_0_2_0.json` has the statements that release sends, as its own tests and a recorder showed them, and the
migration it ends with.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from storage.sql.alembic_upgrade import alembic_config
from storage.sql.engine import Database, connect
from storage.sql.features import FEATURES, list_disabled_features
from storage.sql.migrate import finish_upgrade, upgrade_database
from tests.support.databases import ENGINES
from tests.support.server_processes import PostgresServer

RELEASE: dict[str, Any] = json.loads(Path(__file__).with_name("release_0_2_0.json").read_text())
PARAMETER = re.compile(r"\$(\d+)")


@pytest.fixture(params=ENGINES)
async def old_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Provide a database as the last release left it."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    server: PostgresServer | None = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = server.create_database("two_releases")
    opened = connect(url)
    await opened.write(lambda link: command.upgrade(alembic_config(link), RELEASE["migration"]))
    yield opened
    await opened.close()
    if server:
        server.drop_database("two_releases")


def read_schema(link: Connection) -> dict[str, dict[str, Any]]:
    """Return the columns of each table by name."""
    found = inspect(link)
    return {
        table: {column["name"]: column for column in found.get_columns(table)}
        for table in found.get_table_names()
    }


def read_unique_keys(link: Connection) -> dict[str, set[str]]:
    """Return the columns of each unique constraint and unique index by table."""
    found = inspect(link)
    keys: dict[str, set[str]] = {}
    for table in found.get_table_names():
        indexes = [str(each["column_names"]) for each in found.get_indexes(table) if each["unique"]]
        constraints = [str(each["column_names"]) for each in found.get_unique_constraints(table)]
        keys[table] = {*indexes, *constraints}
    return keys


def plan_statement(link: Connection, statement: str) -> str:
    """Let the database plan a statement with NULL for each parameter; return its error, empty for none."""
    point = link.begin_nested()
    try:
        if link.dialect.name == "sqlite":
            link.exec_driver_sql(f"EXPLAIN {statement}", (None,) * statement.count("?"))
        else:
            count = max(map(int, PARAMETER.findall(statement)), default=0)
            given = f"({', '.join(['NULL'] * count)})" if count else ""
            link.exec_driver_sql(f"PREPARE planned AS {statement}")
            link.exec_driver_sql(f"EXPLAIN EXECUTE planned{given}")
            link.exec_driver_sql("DEALLOCATE planned")
    except Exception as error:
        return f"{statement}: {error}"
    finally:
        point.rollback()
    return ""


def refused_statements(link: Connection) -> list[str]:
    """Return what the database says of the last release's statements it does not accept."""
    statements = RELEASE["statements"][link.dialect.name]
    return [fault for each in statements if (fault := plan_statement(link, each))]


async def test_what_the_last_release_reads_and_writes_is_still_there(old_database: Database) -> None:
    before = await old_database.read(read_schema)
    keys = await old_database.read(read_unique_keys)
    await upgrade_database(old_database)
    after = await old_database.read(read_schema)
    for table, columns in before.items():
        for name, column in columns.items():
            new = after[table][name]
            assert str(new["type"]) == str(column["type"]), f"{table}.{name}"
            assert new["nullable"] or not column["nullable"], f"{table}.{name} must not become NOT NULL"
    new_keys = await old_database.read(read_unique_keys)
    assert {table: new_keys[table] for table in keys} == keys


async def test_columns_the_last_release_does_not_know_fill_themselves(old_database: Database) -> None:
    before = await old_database.read(read_schema)
    await upgrade_database(old_database)
    after = await old_database.read(read_schema)
    added = [after[table][name] for table in before for name in after[table].keys() - before[table].keys()]
    assert added
    assert not [each for each in added if not each["nullable"] and each["default"] is None]


async def test_every_statement_of_the_last_release_is_accepted(old_database: Database) -> None:
    assert await old_database.write(refused_statements) == []
    await upgrade_database(old_database)
    assert await old_database.write(refused_statements) == []


async def test_a_release_starts_on_the_database_of_a_later_one(
    old_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await upgrade_database(old_database)
    await set_revision(old_database, "9999")
    await upgrade_database(old_database)
    assert [(each.message, vars(each)["revision"]) for each in caplog.records] == [
        ("database.schema_newer", "9999")
    ]


async def set_revision(database: Database, number: str) -> None:
    """Change the revision by hand, as docs/deploying.md says."""
    change = text("UPDATE alembic_version SET version_num = :number")
    await database.write(lambda link: link.execute(change, {"number": number}))


async def test_0_2_0_starts_again_once_the_revision_is_set_back_by_hand(old_database: Database) -> None:
    await upgrade_database(old_database)
    revision, own = text("SELECT version_num FROM alembic_version"), RELEASE["migration"]
    newest = await old_database.read(lambda link: link.execute(revision).scalar_one())
    await set_revision(old_database, own)
    await old_database.write(lambda link: command.upgrade(alembic_config(link), own))
    assert await old_database.write(refused_statements) == []
    await set_revision(old_database, newest)
    await upgrade_database(old_database)


async def test_a_finished_upgrade_still_accepts_the_last_release(old_database: Database) -> None:
    await upgrade_database(old_database)
    assert await old_database.read(list_disabled_features) == FEATURES
    await finish_upgrade(old_database)
    await finish_upgrade(old_database)
    assert await old_database.read(list_disabled_features) == ()
    assert await old_database.write(refused_statements) == []
