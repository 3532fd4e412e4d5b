"""Alembic runner: upgrade a database to this release's schema, safely from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.sql.engine import Database, connect

MIGRATIONS = Path(__file__).parent / "migrations"

PATIENCE_SECONDS = 600.0
"""How long a starting process waits for another process's upgrade."""

LOCK = text("SELECT pg_advisory_xact_lock(:number)")
LOCK_NUMBER = 0x4469616C
"""PostgreSQL advisory lock id of migrations, the same in every release.

The process that holds it migrates; the others wait, then find nothing left to do.
"""


def configured(connection: Connection) -> Config:
    """Return Alembic's configuration bound to one connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    """Upgrade under an advisory lock; on SQLite the write job already holds the file's only write lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(LOCK, {"number": LOCK_NUMBER})
    command.upgrade(configured(connection), "head")


async def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction: all of them or, when one fails, none."""
    await database.write(_migrate, seconds=PATIENCE_SECONDS)


async def upgrade_url(url: str) -> None:
    """Open the database behind a URL, upgrade it and close it."""
    database = connect(url)
    try:
        await upgrade(database)
    finally:
        await database.close()
