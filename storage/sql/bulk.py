"""Array-bound bulk statements: any number of rows in one statement with one text, planned once.

Lists go to PostgreSQL as array literals and to SQLite as JSON. asyncpg takes ten times as long to bind
a Python list, because it checks every element for being a list too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any, Self

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Text,
    bindparam,
    func,
    select,
    text,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

RowValues = tuple[Any, ...]
"""The values of one row, in the order of the statement's columns."""


def _text_elements(values: Sequence[str]) -> str:
    """Quote strings; characters to escape are rare, so they are searched for in all strings at once."""
    plain = '","'.join(values)
    if "\\" in plain or plain.count('"') > 2 * (len(values) - 1):
        plain = '","'.join([each.replace("\\", "\\\\").replace('"', '\\"') for each in values])
    return f'"{plain}"'


def _number_elements(values: Sequence[int]) -> str:
    return ",".join(map(str, values))


def _instant_elements(values: Sequence[datetime | None]) -> str:
    spelled = {each: "NULL" if each is None else f'"{each.isoformat()}"' for each in set(values)}
    return ",".join([spelled[each] for each in values])


def _bytea_elements(values: Sequence[bytes]) -> str:
    return ",".join([f'"\\\\x{each.hex()}"' for each in values])


def _boolean_elements(values: Sequence[bool]) -> str:
    return ",".join("t" if each else "f" for each in values)


ELEMENT_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "bigint": _number_elements,
    "integer": _number_elements,
    "text": _text_elements,
    "varchar": _text_elements,
    "timestamptz": _instant_elements,
    "bytea": _bytea_elements,
    "boolean": _boolean_elements,
}
"""PostgreSQL type -> function that writes its values as elements of an array literal."""

PLANNER_SETTINGS_OFF = (
    "enable_seqscan",
    "enable_bitmapscan",
    "enable_sort",
    "enable_hashjoin",
    "enable_mergejoin",
    "jit",
)
"""Planner settings that `force_index_scans` turns off."""


def force_index_scans(connection: Connection, *off: str) -> None:
    """Make PostgreSQL read by index, in index order, until the end of the transaction.

    `off` names further settings to turn off. Table statistics mislead the planner about a queue: taken
    when it was empty, they make it collect and sort all due rows for every batch, or scan sequentially
    a table that was small when they were taken. No effect on SQLite.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            select(*(func.set_config(name, "off", true()) for name in (*PLANNER_SETTINGS_OFF, *off)))
        )


def array_literal(values: Sequence[Any], element_type: str) -> str:
    """Return a PostgreSQL array literal of values of one type."""
    return f"{{{ELEMENT_WRITERS[element_type](values) if values else ''}}}"


class _ListParameter(TypeDecorator[Sequence[Any]]):
    impl = Text
    cache_ok = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str:
        """Convert a list to an array literal (PostgreSQL) or JSON (SQLite)."""
        return array_literal(value or (), self.kind) if dialect.name == "postgresql" else json.dumps(value)


class _InArray(FunctionElement[bool]):
    type: TypeEngine[bool] = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Return the condition as it is: with `= 1` appended, SQLite would scan the whole table."""
        return self


@compiles(_InArray)
def _compile_for_sqlite(element: _InArray, compiler: SQLCompiler, **how: Any) -> str:
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({listed}))"  # noqa: S608 - compiled SQL, no input


@compiles(_InArray, "postgresql")
def _compile_for_postgres(element: _InArray, compiler: SQLCompiler, **how: Any) -> str:
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} = ANY (CAST({listed} AS {_element_type(element.clauses.clauses[0])}[]))"


class _InTable(_InArray):
    inherit_cache = True


@compiles(_InTable, "postgresql")
def _compile_as_table(element: _InTable, compiler: SQLCompiler, **how: Any) -> str:
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    kind = _element_type(element.clauses.clauses[0])
    return f"{column} IN (SELECT unnest(CAST({listed} AS {kind}[])))"


def _element_type(column: ColumnElement[Any]) -> str:
    return "bigint" if issubclass(column.type.python_type, int) else "varchar"


def in_array(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Return the condition `column IN (values)`; the list (of str or int) is bound to one parameter."""
    return _InArray(column, bindparam(parameter, type_=_ListParameter(_element_type(column))))


def in_table(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Return the condition of `in_array` as a join, for lists of a page in a table without statistics.

    There PostgreSQL compares each row of the table with each value of an array, in turn; it joins by hash.
    """
    return _InTable(column, bindparam(parameter, type_=_ListParameter(_element_type(column))))


@dataclass(frozen=True, slots=True)
class ArrayStatement:
    """A PostgreSQL bulk statement over `unnest` of one array per column.

    In its text `{rows}` stands for the table `given`, whose columns have these names and types.
    """

    statement: str
    types: Mapping[str, str]
    clause: Executable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        arrays = ", ".join(f"CAST(CAST(:{name} AS text) AS {kind}[])" for name, kind in self.types.items())
        names = ", ".join(f'"{name}"' for name in self.types)
        table = f"unnest({arrays}) AS given({names})"
        object.__setattr__(self, "clause", text(self.statement.replace("{rows}", table)))

    def to_arrays(self, rows: Sequence[RowValues]) -> dict[str, str]:
        """Return the rows as bind parameters: one array literal for each column."""
        columns = zip(*rows, strict=True) if rows else repeat(())
        pairs = zip(self.types.items(), columns, strict=False)
        return {name: array_literal(column, kind) for (name, kind), column in pairs}

    def to_dicts(self, rows: Sequence[RowValues]) -> list[dict[str, Any]]:
        """Return the rows as bind parameters of a single-row statement, one dict for each row."""
        return [dict(zip(self.types, row, strict=True)) for row in rows]


def build_statement(statement: str, **types: str) -> ArrayStatement:
    """Return an `ArrayStatement` with these column types."""
    return ArrayStatement(statement, types)


def build_returning_ids(statement: str, **types: str) -> ArrayStatement:
    """Return a statement that ends with `RETURNING table.id`, its ids gathered into one array.

    A row of its own for each id costs the server and SQLAlchemy more than the array does.
    """
    gathered = f"WITH changed AS ({statement}) SELECT array_agg(id) FROM changed"  # noqa: S608 - no input
    return ArrayStatement(gathered, types)


def execute_rows(
    connection: Connection,
    row_statement: Executable,
    array_statement: ArrayStatement,
    rows: Sequence[RowValues],
    **shared: Any,
) -> None:
    """Run a write for every row: one array statement on PostgreSQL, executemany on SQLite.

    The single-row statement and the array statement must do the same. `shared` holds the parameters
    that all rows have in common.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(array_statement.clause, array_statement.to_arrays(rows) | shared)
    else:
        connection.execute(row_statement, [row | shared for row in array_statement.to_dicts(rows)])


def execute_returning_ids(
    connection: Connection,
    row_statement: Executable,
    array_statement: ArrayStatement,
    rows: Sequence[RowValues],
    **shared: Any,
) -> set[int]:
    """Run like `execute_rows` and return the ids of the rows that the statements matched.

    The single-row statement returns the id (RETURNING), the other is made by `build_returning_ids`.
    """
    if connection.dialect.name == "postgresql":
        arrays = array_statement.to_arrays(rows)
        return set(connection.execute(array_statement.clause, arrays | shared).scalar() or ())
    return {
        row_id
        for row in array_statement.to_dicts(rows)
        for row_id in connection.scalars(row_statement, row | shared)
    }
