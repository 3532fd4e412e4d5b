"""The revisions read without Alembic are those Alembic reads."""

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from storage.sql.engine import Database
from storage.sql.schema_revision import MIGRATIONS_PATH, current_revisions, release_revisions


def both_readings(connection: Connection) -> tuple[frozenset[str], frozenset[str]]:
    return current_revisions(connection), frozenset(MigrationContext.configure(connection).get_current_heads())


def test_the_files_of_this_release_are_named_by_their_revisions() -> None:
    walked = [each.revision for each in ScriptDirectory(str(MIGRATIONS_PATH)).walk_revisions()]
    assert list(release_revisions()) == walked[::-1]


async def test_a_migrated_database_has_the_newest_revision(database: Database) -> None:
    ours, alembics = await database.read(both_readings)
    assert ours == alembics == {release_revisions()[-1]}


def test_an_empty_database_has_none() -> None:
    with create_engine("sqlite://").connect() as connection:
        assert both_readings(connection) == (frozenset(), frozenset())
