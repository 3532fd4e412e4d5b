"""Database readiness: whether the database takes a write, and the reason when it does not."""

from datetime import UTC, datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from flows.domain.failures import Failure
from storage.sql.driver_errors import sqlstate_of
from storage.sql.engine import Database
from storage.sql.tables import changes, outbox

PROBE_ROW = {"key": "probe/readiness", "outcome": "ok", "at": datetime(2000, 1, 1, tzinfo=UTC)}
"""The row that each check writes again; retention deletes it like any other."""
_INSERT = insert(changes).values(PROBE_ROW)
WRITE_PROBE = _INSERT.on_conflict_do_update(index_elements=[changes.c.key], set_={"at": _INSERT.excluded.at})
READ_PROBE = select(outbox.c.id).limit(1)
SQLSTATE_REASONS = {
    "25006": "read_only",
    "28000": "login_refused",
    "28P01": "login_refused",
    "3D000": "no_such_database",
    "42501": "permission_denied",
    "53100": "disk_full",
    "53300": "too_many_connections",
    "57P03": "starting",
}
"""What an operator's engineer looks for first, by SQLSTATE (PostgreSQL, appendix A)."""
SQLITE_REASONS = {"SQLITE_READONLY": "read_only", "SQLITE_FULL": "disk_full", "SQLITE_IOERR": "disk_error"}
"""The same by the beginning of SQLite's error name."""


def _probe_tables(connection: Connection) -> None:
    connection.execute(READ_PROBE)
    connection.execute(WRITE_PROBE)


async def check_writable(database: Database, seconds: float) -> None:
    """Return if the outbox is read and a row committed within `seconds`; otherwise Slow, Overloaded or Down.

    A demoted or read-only server refuses it as it refuses all others, and so does a full disk.
    """
    await database.write(_probe_tables, seconds=seconds)


def failure_reason(failure: Failure) -> str:
    """Return why a job failed: a word of the tables above, the SQLSTATE, or the failure's class."""
    cause = failure.__cause__
    if cause is None:
        return type(failure).__name__.lower()
    sqlite_name = str(getattr(getattr(cause, "orig", None), "sqlite_errorname", ""))
    known = (word for name, word in SQLITE_REASONS.items() if sqlite_name.startswith(name))
    if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
        return "connection_refused" if isinstance(cause, ConnectionRefusedError) else "unreachable"
    code = sqlstate_of(cause)
    return next(known, "") or SQLSTATE_REASONS.get(code, code or type(failure).__name__.lower())
