"""Schema upgrade: bring a database to this release's schema, safely from several processes at once.

Alembic, 16 MB with its template engine, is loaded only where a migration is missing.
"""

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module

from sqlalchemy import Connection, text

from flows.domain.failures import Overloaded
from storage.sql.engine import Database, connect
from storage.sql.features import enable_features, list_disabled_features
from storage.sql.schema_revision import current_revisions, release_revisions
from storage.sql.server_clock import read_clock

log = logging.getLogger("dialtree.database")

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
    found, ours = current_revisions(connection), release_revisions()
    if found == {ours[-1]}:
        return
    if newer := sorted(found.difference(ours)):
        log.warning("database.schema_newer", extra={"revision": " ".join(newer)})
        return
    import_module("storage.sql.alembic_upgrade").run_migrations(connection)
    if not found:
        enable_features(connection, read_clock(connection))


def _finish_upgrade(connection: Connection) -> None:
    _upgrade_to_head(connection)
    enable_features(connection, read_clock(connection))


async def upgrade_database(database: Database, retry_seconds: float = RETRY_SECONDS) -> None:
    """Run the missing migrations in one transaction: all of them or, when one fails, none.

    While a dump or a long report holds a table, an attempt gives up after `LOCK_WAIT_SECONDS` and is made
    again after `retry_seconds`. Raises Overloaded when that took `UPGRADE_TIMEOUT_SECONDS`.
    """
    await _write_patiently(database, _upgrade_to_head, retry_seconds)


async def finish_upgrade(database: Database, retry_seconds: float = RETRY_SECONDS) -> None:
    """Upgrade, and let all processes write what those of the previous release do not know: none may run now.

    Waits for locks as `upgrade_database` does. Processes that run take it up by themselves.
    """
    await _write_patiently(database, _finish_upgrade, retry_seconds)


async def _write_patiently(database: Database, job: Callable[[Connection], None], retry_seconds: float) -> None:
    until = asyncio.get_running_loop().time() + UPGRADE_TIMEOUT_SECONDS
    while True:
        try:
            return await database.write(job, seconds=UPGRADE_TIMEOUT_SECONDS)
        except Overloaded:
            if asyncio.get_running_loop().time() > until:
                raise
            left = until - asyncio.get_running_loop().time()
            reason = f"a table is locked; tried again for {left:.0f} s"
            log.warning("database.migration_waiting", extra={"reason": reason})
        await asyncio.sleep(retry_seconds)


async def upgrade_url(url: str) -> tuple[str, ...]:
    """Open the database behind a URL, upgrade it and close it; return the features that are not turned on."""
    database = connect(url)
    try:
        await upgrade_database(database)
        return await database.read(list_disabled_features)
    finally:
        await database.close()


async def finish_url(url: str) -> None:
    """Open the database behind a URL, finish its upgrade and close it."""
    database = connect(url)
    try:
        await finish_upgrade(database)
    finally:
        await database.close()
