"""What SMS may cost a day: parts are set aside in SQL before they are sent, a chunk at a time."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from storage.sql.engine import Database
from storage.sql.schema import spends

CHUNK = 100
"""Parts one process sets aside at once; what a process did not use up when it stopped counts as spent."""

_ADDING = insert(spends)
_KEY = [spends.c.operator, spends.c.route, spends.c.day]
TAKE = _ADDING.on_conflict_do_update(
    index_elements=_KEY, set_={"parts": spends.c.parts + _ADDING.excluded.parts}
).returning(spends.c.parts)


class SqlSpending:
    """One operator's route: never more than `most` parts a day (UTC), by however many processes."""

    def __init__(self, database: Database, operator: str, route: str, most: int) -> None:
        self._database = database
        self._row: dict[str, Any] = {"operator": operator, "route": route}
        self._most = most
        self._day: object = None
        self._left = 0

    async def take(self, parts: int, now: datetime) -> bool:
        """Set parts aside; False when the day's are used up."""
        if now.date() != self._day:
            self._day, self._left = now.date(), 0
        if self._left < parts:
            more = await self._more(max(parts, min(CHUNK, self._most // 10)), now)
            self._left += more  # to what is left by now: others took and added meanwhile
        if self._left < parts:
            return False
        self._left -= parts
        return True

    async def _more(self, parts: int, now: datetime) -> int:
        def job(connection: Connection) -> int:
            total = int(connection.execute(TAKE, {**self._row, "day": now.date(), "parts": parts}).scalar_one())
            over = max(0, total - self._most)
            if over:
                connection.execute(TAKE, {**self._row, "day": now.date(), "parts": -min(over, parts)})
            return max(0, parts - over)

        return await self._database.write(job)
