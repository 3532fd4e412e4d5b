"""Brings a database to the schema this release needs; several starters at once are one upgrade."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.sql.engine import Database, connect

MIGRATIONS = Path(__file__).parent / "migrations"

PATIENCE_SECONDS = 600.0
"""A starter waits this long for another one's upgrade."""

LOCK = text("SELECT pg_advisory_xact_lock(:number)")
LOCK_NUMBER = 0x4469616C
"""Known to every release: whoever holds it migrates, the others find nothing left to do."""


def configured(connection: Connection) -> Config:
    """Alembic's configuration over one connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    """On SQLite the write job itself holds the file's one write lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(LOCK, {"number": LOCK_NUMBER})
    command.upgrade(configured(connection), "head")


async def upgrade(database: Database) -> None:
    """Run what is missing in one transaction: all of it or, when one step fails, nothing."""
    await database.write(_migrate, seconds=PATIENCE_SECONDS)


async def upgrade_url(url: str) -> None:
    """`upgrade` for a database nobody has open yet."""
    database = connect(url)
    try:
        await upgrade(database)
    finally:
        await database.close()
