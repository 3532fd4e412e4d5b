"""Alembic runner: upgrade a database to this release's schema, safely from several processes at once."""

import asyncio
import logging
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from flows.domain.failures import Overloaded
from storage.sql.engine import Database, connect

log = logging.getLogger("dialtree.database")
MIGRATIONS_PATH = Path(__file__).parent / "migrations"

UPGRADE_TIMEOUT_SECONDS = 600.0
"""How long a starting process waits for another process's upgrade, or for locks on the tables."""
LOCK_WAIT_SECONDS = 1
"""Longest wait for one lock: behind a migration that waits, all traffic on the table waits as well."""
RETRY_SECONDS = 3.0
"""Pause before the next attempt, in which that traffic goes on."""

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
    """Upgrade under an advisory lock; on SQLite the write job already holds the file's only write lock.

    A database that a later release has upgraded is left as it is: migrations only add, so this release works on
    it, beside the later one and after a rollback (decision 0320).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(ADVISORY_LOCK, {"number": ADVISORY_LOCK_ID})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'"))
    heads = MigrationContext.configure(connection).get_current_heads()
    if heads == _release_heads(MIGRATIONS_PATH):
        return
    if newer := sorted(set(heads) - _known_revisions(MIGRATIONS_PATH)):
        log.warning("database.schema_newer", extra={"revision": " ".join(newer)})
        return
    command.upgrade(alembic_config(connection), "head")


@cache
def _release_heads(migrations: Path) -> tuple[str, ...]:
    """Return the newest revisions of a migrations folder; to load every migration takes 15 ms."""
    return tuple(ScriptDirectory(migrations).get_heads())


@cache
def _known_revisions(migrations: Path) -> frozenset[str]:
    """Return all revisions of a migrations folder; one that is not among them is of a later release."""
    return frozenset(each.revision for each in ScriptDirectory(migrations).walk_revisions())


async def upgrade_database(database: Database, retry_seconds: float = RETRY_SECONDS) -> None:
    """Run the missing migrations in one transaction: all of them or, when one fails, none.

    While a dump or a long report holds a table, an attempt gives up after `LOCK_WAIT_SECONDS` and is made
    again after `retry_seconds`. Raises Overloaded when that took `UPGRADE_TIMEOUT_SECONDS`.
    """
    until = asyncio.get_running_loop().time() + UPGRADE_TIMEOUT_SECONDS
    while True:
        try:
            return await database.write(_upgrade_to_head, seconds=UPGRADE_TIMEOUT_SECONDS)
        except Overloaded:
            if asyncio.get_running_loop().time() > until:
                raise
            log.warning("database.migration_waiting")
        await asyncio.sleep(retry_seconds)


async def upgrade_url(url: str) -> None:
    """Open the database behind a URL, upgrade it and close it."""
    database = connect(url)
    try:
        await upgrade_database(database)
    finally:
        await database.close()
