"""Database server clock: one time source shared by all processes."""

from datetime import datetime

from sqlalchemy import Connection, text

from storage.sql.engine import Database

SELECT_NOW = text("SELECT clock_timestamp()")


def _read_clock(connection: Connection) -> datetime | None:
    if connection.dialect.name != "postgresql":
        return None
    instant: datetime = connection.execute(SELECT_NOW).scalar_one()
    return instant


async def server_time(database: Database) -> datetime | None:
    """Return the server's current instant; None on SQLite, which has no server clock."""
    return await database.read(_read_clock)
