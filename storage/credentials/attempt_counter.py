"""Failed-attempt counter in SQL: one row per subject, locked while it is checked, reset after a day."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, case, update
from sqlalchemy.dialects.postgresql import insert

WINDOW = timedelta(days=1)
"""Counted from the first wrong attempt, not from midnight, so that waiting for midnight gains nothing."""

MAX_WRONG_PER_DAY = 9


class AttemptCounter:
    """Counts attempts in a table with the columns `since` and `wrong`."""

    def __init__(self, table: Table, window: timedelta = WINDOW) -> None:
        self._window = window
        self._key_columns = [column.name for column in table.primary_key.columns]
        self._lock_row, self._increment = _lock_statement(table), _increment_statement(table)

    def lock_and_count(self, connection: Connection, key: dict[str, Any], now: datetime) -> int:
        """Lock the key's row until the commit and return its wrong attempts in this window."""
        row = {**key, "since": now, "wrong": 0, "day_ago": now - self._window}
        return int(connection.execute(self._lock_row, row).scalar_one())

    def add_wrong(self, connection: Connection, key: dict[str, Any], delta: int) -> None:
        """Add `delta` to the count; a negative value takes attempts back."""
        key_values = {f"the_{name}": key[name] for name in self._key_columns}
        connection.execute(self._increment, {**key_values, "more": delta})


@cache
def _lock_statement(table: Table) -> Any:
    adding = insert(table)
    over = table.c.since <= bindparam("day_ago", type_=table.c.since.type)
    fresh = {
        "since": case((over, adding.excluded.since), else_=table.c.since),
        "wrong": case((over, 0), else_=table.c.wrong),
    }
    locking = adding.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=fresh)
    return locking.returning(table.c.wrong)


@cache
def _increment_statement(table: Table) -> Any:
    this = [column == bindparam(f"the_{column.name}") for column in table.primary_key.columns]
    return update(table).where(*this).values(wrong=table.c.wrong + bindparam("more"))
