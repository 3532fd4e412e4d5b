"""Daily SMS spend limit: message parts are reserved in SQL before sending, a chunk at a time."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from storage.sql.engine import Database
from storage.sql.tables import spends

CHUNK_PARTS = 100
"""Parts a process reserves at once; those it did not use when it stopped count as spent."""

_INSERT_SPEND = insert(spends)
_SPEND_KEY = [spends.c.operator, spends.c.route, spends.c.day]
ADD_PARTS = _INSERT_SPEND.on_conflict_do_update(
    index_elements=_SPEND_KEY, set_={"parts": spends.c.parts + _INSERT_SPEND.excluded.parts}
).returning(spends.c.parts)


class SqlSpendCounter:
    """Counts the parts of an operator's route: at most `max_parts` a day (UTC) over all processes."""

    def __init__(self, database: Database, operator: str, route: str, max_parts: int) -> None:
        self._database = database
        self._row: dict[str, Any] = {"operator": operator, "route": route}
        self._max_parts = max_parts
        self._day: object = None
        self._reserved_parts = 0

    async def reserve_parts(self, parts: int, now: datetime) -> bool:
        """Reserve parts for a message; False when the daily limit is used up."""
        if now.date() != self._day:
            self._day, self._reserved_parts = now.date(), 0
        if self._reserved_parts < parts:
            more = await self._reserve_chunk(max(parts, min(CHUNK_PARTS, self._max_parts // 10)), now)
            self._reserved_parts += more  # read again after the await: concurrent calls changed it
        if self._reserved_parts < parts:
            return False
        self._reserved_parts -= parts
        return True

    async def _reserve_chunk(self, parts: int, now: datetime) -> int:
        def job(connection: Connection) -> int:
            total = int(
                connection.execute(ADD_PARTS, {**self._row, "day": now.date(), "parts": parts}).scalar_one()
            )
            over = max(0, total - self._max_parts)
            if over:
                connection.execute(ADD_PARTS, {**self._row, "day": now.date(), "parts": -min(over, parts)})
            return max(0, parts - over)

        return await self._database.write(job)
