"""The time a database server tells, the same for every process that asks it."""

from datetime import datetime

from sqlalchemy import Connection, text

from storage.sql.engine import Database

NOW = text("SELECT clock_timestamp()")


def _told(connection: Connection) -> datetime | None:
    if connection.dialect.name != "postgresql":
        return None
    instant: datetime = connection.execute(NOW).scalar_one()
    return instant


async def server_time(database: Database) -> datetime | None:
    """The server's instant; None on SQLite, which has no clock of its own."""
    return await database.read(_told)
