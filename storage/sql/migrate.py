"""Alembic runner: upgrade a database to this release's schema, safely from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.sql.engine import Database, connect

MIGRATIONS_PATH = Path(__file__).parent / "migrations"

UPGRADE_TIMEOUT_SECONDS = 600.0
"""How long a starting process waits for another process's upgrade."""

ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(:number)")
ADVISORY_LOCK_ID = 0x4469616C
"""PostgreSQL advisory lock id of migrations, the same in every release.

The process that holds it migrates; the others wait, then find nothing left to do.
"""


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration bound to one connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_PATH).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade_to_head(connection: Connection) -> None:
    """Upgrade under an advisory lock; on SQLite the write job already holds the file's only write lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(ADVISORY_LOCK, {"number": ADVISORY_LOCK_ID})
    command.upgrade(alembic_config(connection), "head")


async def upgrade_database(database: Database) -> None:
    """Run the missing migrations in one transaction: all of them or, when one fails, none."""
    await database.write(_upgrade_to_head, seconds=UPGRADE_TIMEOUT_SECONDS)


async def upgrade_url(url: str) -> None:
    """Open the database behind a URL, upgrade it and close it."""
    database = connect(url)
    try:
        await upgrade_database(database)
    finally:
        await database.close()
