"""Counting wrong tries in SQL: one row a subject, locked by its own update, starting over after a day."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, bindparam, case, update
from sqlalchemy.dialects.postgresql import insert

WINDOW = timedelta(days=1)
"""Counted from the first wrong try, not from midnight: nobody can wait for the date to change."""

WRONG_A_DAY = 9


class Tries:
    """The statements over one table of counters with the columns `since` and `wrong`."""

    def __init__(self, table: Table, window: timedelta = WINDOW) -> None:
        self._window = window
        key = list(table.primary_key.columns)
        this = [column == bindparam(f"the_{column.name}") for column in key]
        self._names = [column.name for column in key]
        self._locked = self._lock_statement(table)
        self._add = update(table).where(*this).values(wrong=table.c.wrong + bindparam("more"))

    @staticmethod
    def _lock_statement(table: Table) -> Any:
        adding = insert(table)
        over = table.c.since <= bindparam("day_ago", type_=table.c.since.type)
        fresh = {
            "since": case((over, adding.excluded.since), else_=table.c.since),
            "wrong": case((over, 0), else_=table.c.wrong),
        }
        locking = adding.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=fresh)
        return locking.returning(table.c.wrong)

    def lock(self, connection: Connection, key: dict[str, Any], now: datetime) -> int:
        """Wrong tries so far in this window; until the commit nobody else counts for the same key."""
        row = {**key, "since": now, "wrong": 0, "day_ago": now - self._window}
        return int(connection.execute(self._locked, row).scalar_one())

    def add(self, connection: Connection, key: dict[str, Any], more: int) -> None:
        """Count `more` (negative gives back)."""
        named = {f"the_{name}": key[name] for name in self._names}
        connection.execute(self._add, {**named, "more": more})
