"""Database readiness: whether the database answers and accepts writes."""

from sqlalchemy import Connection, delete, false

from storage.sql.engine import Database
from storage.sql.tables import changes

_WRITE_NOTHING = delete(changes).where(false())


def _write_nothing(connection: Connection) -> None:
    connection.execute(_WRITE_NOTHING)


async def check_writable(database: Database, seconds: float) -> None:
    """Return if a write of no rows passes within `seconds`; otherwise Slow, Overloaded or Down.

    A demoted or read-only server refuses such a write as it refuses all others, and it costs no disk.
    """
    await database.write(_write_nothing, seconds=seconds)
