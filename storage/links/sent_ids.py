"""Sent ids: finds which spelling of a message id a send was recorded under."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from storage.sql.engine import Database
from storage.sql.tables import receipts

SELECT_KNOWN_IDS = select(receipts.c.message_id).where(
    receipts.c.provider == bindparam("provider"),
    receipts.c.message_id.in_(bindparam("ids", expanding=True)),
    receipts.c.row.is_not(None),
)


async def find_sent_id(database: Database, provider: str, candidates: Sequence[str]) -> str | None:
    """Return the first of the candidates a send was recorded under; None when there is none yet."""

    def job(connection: Connection) -> set[str]:
        names = {"provider": provider, "ids": list(candidates)}
        return set(connection.execute(SELECT_KNOWN_IDS, names).scalars())

    known = await database.read(job)
    return next((each for each in candidates if each in known), None)
