"""Database clock: one time source shared by all processes."""

from datetime import UTC, datetime

from sqlalchemy import Connection, text

from storage.sql.engine import Database

SELECT_NOW = text("SELECT clock_timestamp()")
SELECT_NOW_SQLITE = text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")
"""The machine's own clock, which all processes on one file share."""


def read_clock(connection: Connection) -> datetime:
    """Return the current instant in UTC within a job."""
    if connection.dialect.name != "postgresql":
        return datetime.fromisoformat(connection.execute(SELECT_NOW_SQLITE).scalar_one()).replace(tzinfo=UTC)
    instant: datetime = connection.execute(SELECT_NOW).scalar_one()
    return instant


async def server_time(database: Database) -> datetime:
    """Return the current instant in UTC by the database server; on SQLite, by the machine of the file."""
    return await database.read(read_clock)
