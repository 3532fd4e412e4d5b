"""Daily SMS spend limit: message parts are reserved in SQL before sending, a chunk at a time."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from storage.sql.engine import Database
from storage.sql.schema import spends

CHUNK = 100
"""Parts a process reserves at once; those it did not use when it stopped count as spent."""

_ADDING = insert(spends)
_KEY = [spends.c.operator, spends.c.route, spends.c.day]
TAKE = _ADDING.on_conflict_do_update(
    index_elements=_KEY, set_={"parts": spends.c.parts + _ADDING.excluded.parts}
).returning(spends.c.parts)


class SqlSpending:
    """Counts the parts of an operator's route: at most `max_parts` a day (UTC) over all processes."""

    def __init__(self, database: Database, operator: str, route: str, most: int) -> None:
        self._database = database
        self._row: dict[str, Any] = {"operator": operator, "route": route}
        self._most = most
        self._day: object = None
        self._left = 0

    async def take(self, parts: int, now: datetime) -> bool:
        """Reserve parts for a message; False when the daily limit is used up."""
        if now.date() != self._day:
            self._day, self._left = now.date(), 0
        if self._left < parts:
            more = await self._more(max(parts, min(CHUNK, self._most // 10)), now)
            self._left += more  # read again after the await: concurrent calls changed it
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
