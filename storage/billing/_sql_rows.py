"""Row reading of our own tables: a row that cannot be read is left out, the others are read."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select
from sqlalchemy.exc import OperationalError

from flows.domain.bill_cycle import RejectedBill
from flows.domain.failures import InvalidRecord
from storage.sql.direct_query import DirectQuery
from storage.sql.engine import Database

log = logging.getLogger("dialtree.billing")
CONVERSION_ERRORS = (ValueError, TypeError, ArithmeticError)
"""Raised where a stored value is no date, amount or truth value; SQLite keeps whatever it was given."""
UNDECODABLE_TEXT = "decode"
"""In the message of SQLite's error for a text that is not UTF-8."""


@dataclass(frozen=True, slots=True)
class RowBatch:
    """The rows of a query that can be read, and the keys of those that cannot, both in the query's order."""

    rows: Sequence[Any] = field(repr=False)
    unreadable: Sequence[Any] = field(default=(), repr=False)
    last_key: Any = None
    """Key of the last row, readable or not; None when every row can be read."""


BillingQuery = Select[Any] | DirectQuery[RowBatch]


def read_rows(
    connection: Connection, statement: Select[Any], key: ColumnElement[Any], values: Mapping[str, Any]
) -> RowBatch:
    """Run a query; when a row cannot be read, find it by its key, by halving the page.

    Rows that share a key are left out together.
    """
    rows = _rows_or_none(connection, statement, values)
    if rows is not None:
        return RowBatch(rows)
    keys = connection.execute(statement.with_only_columns(key), dict(values)).scalars().all()
    batch = _read_by_key(connection, statement.offset(None), key, list(dict.fromkeys(keys)), values)
    return replace(batch, last_key=keys[-1])


async def fetch_batch(
    database: Database, query: BillingQuery, key: ColumnElement[Any], values: Mapping[str, Any]
) -> RowBatch:
    """Run a query as `read_rows` does, a direct one without SQLAlchemy where every row can be read."""
    if not isinstance(query, DirectQuery):
        return await database.read(lambda connection: read_rows(connection, query, key, values))
    statement = query.statement
    try:
        return await database.read_directly(
            query, values, lambda connection: read_rows(connection, statement, key, values)
        )
    except CONVERSION_ERRORS:
        return await database.read(lambda connection: read_rows(connection, statement, key, values))


def unreadable_row() -> InvalidRecord:
    """Return the failure for a row that cannot be read."""
    return InvalidRecord("a row of our billing tables cannot be read")


def reject_row(bill_id: str) -> RejectedBill:
    """Return the note of a bill whose row cannot be read, or whose holder's row cannot."""
    return RejectedBill(bill_id, str(unreadable_row()))


def log_unreadable(count: int) -> None:
    """Log rows that were left out of what a caller sees."""
    if count:
        log.warning("billing.record_rejected", extra={"reason": str(unreadable_row()), "count": count})


def _rows_or_none(
    connection: Connection, statement: Select[Any], values: Mapping[str, Any]
) -> Sequence[Any] | None:
    """Return the rows; None when one of them cannot be read. Errors of the database itself are raised."""
    try:
        return connection.execute(statement, dict(values)).all()
    except CONVERSION_ERRORS:
        return None
    except OperationalError as error:
        if UNDECODABLE_TEXT not in str(error.orig):
            raise
        return None


def _read_by_key(
    connection: Connection,
    statement: Select[Any],
    key: ColumnElement[Any],
    keys: Sequence[Any],
    values: Mapping[str, Any],
) -> RowBatch:
    rows = _rows_or_none(connection, statement.where(key.in_(keys)), values)
    if rows is not None:
        return RowBatch(rows)
    if len(keys) == 1:
        return RowBatch((), keys)
    middle = len(keys) // 2
    first, second = (
        _read_by_key(connection, statement, key, part, values) for part in (keys[:middle], keys[middle:])
    )
    return RowBatch([*first.rows, *second.rows], [*first.unreadable, *second.unreadable])
