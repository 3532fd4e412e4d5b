"""Many rows in one statement, whose text is the same however many they are: parsed and planned once.

Lists travel to PostgreSQL as array literals, for the driver takes ten times as long over a list of its
own (it asks of every element whether that is a list too); to SQLite as JSON.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any

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
from sqlalchemy.types import TypeDecorator, TypeEngine

Row = tuple[Any, ...]
"""The values of one row, in the order of its statement's columns."""


def _texts(values: Sequence[str]) -> str:
    """Quoted; what must be escaped is rare, and looked for in all of them at once."""
    plain = '","'.join(values)
    if "\\" in plain or plain.count('"') > 2 * (len(values) - 1):
        plain = '","'.join([each.replace("\\", "\\\\").replace('"', '\\"') for each in values])
    return f'"{plain}"'


def _numbers(values: Sequence[int]) -> str:
    return ",".join(map(str, values))


def _instants(values: Sequence[datetime | None]) -> str:
    spelled = {each: "NULL" if each is None else f'"{each.isoformat()}"' for each in set(values)}
    return ",".join([spelled[each] for each in values])


def _bytes(values: Sequence[bytes]) -> str:
    return ",".join([f'"\\\\x{each.hex()}"' for each in values])


SPELLED: Mapping[str, Callable[[Any], str]] = {
    "bigint": _numbers,
    "integer": _numbers,
    "text": _texts,
    "varchar": _texts,
    "timestamptz": _instants,
    "bytea": _bytes,
}
"""How PostgreSQL reads values of each type within an array literal."""

BY_INDEX = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "enable_mergejoin", "jit")
"""What is off for the rest of a transaction that says `by_index`."""


def by_index(connection: Connection, *off: str) -> None:
    """From here to the end of the transaction read by index and in its order; `off` turns more settings off.

    Statistics are of no use to a queue: taken when it was empty, they make the planner collect and sort
    all that is due for every batch, or read a table from end to end that was small when it planned.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(*(func.set_config(name, "off", true()) for name in (*BY_INDEX, *off))))


def literal(values: Sequence[Any], kind: str) -> str:
    """An array of PostgreSQL as it is written."""
    return f"{{{SPELLED[kind](values) if values else ''}}}"


class _Listed(TypeDecorator[Sequence[Any]]):
    impl = Text
    cache_ok = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str:
        """To the engine's own form."""
        return literal(value or (), self.kind) if dialect.name == "postgresql" else json.dumps(value)


class _Among(FunctionElement[bool]):
    type: TypeEngine[bool] = Boolean()
    inherit_cache = True


@compiles(_Among)
def _among_json(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({listed}))"  # noqa: S608 - the compiler's own words


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} = ANY (CAST({listed} AS {_kind(element.clauses.clauses[0])}[]))"


def _kind(column: ColumnElement[Any]) -> str:
    return "bigint" if issubclass(column.type.python_type, int) else "varchar"


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Is the column one of the values given under this name? Strings or whole numbers."""
    return _Among(column, bindparam(name, type_=_Listed(_kind(column))))


@dataclass(frozen=True, slots=True)
class Many:
    """A statement for PostgreSQL in which `{rows}` stands for a table `given` with these columns and types."""

    statement: str
    types: Mapping[str, str]
    clause: Executable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        arrays = ", ".join(f"CAST(CAST(:{name} AS text) AS {kind}[])" for name, kind in self.types.items())
        names = ", ".join(f'"{name}"' for name in self.types)
        table = f"unnest({arrays}) AS given({names})"
        object.__setattr__(self, "clause", text(self.statement.replace("{rows}", table)))

    def arrays(self, rows: Sequence[Row]) -> dict[str, str]:
        """The rows turned on their side, an array a column."""
        columns = zip(*rows, strict=True) if rows else repeat(())
        pairs = zip(self.types.items(), columns, strict=False)
        return {name: literal(column, kind) for (name, kind), column in pairs}

    def named(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows as a statement for a single one takes them."""
        return [dict(zip(self.types, row, strict=True)) for row in rows]


def unnested(statement: str, **types: str) -> Many:
    """See `Many`."""
    return Many(statement, types)


def execute(connection: Connection, one: Executable, many: Many, rows: Sequence[Row], **shared: Any) -> None:
    """Run `one` for each row, or `many` for all of them where the engine has it; both mean the same.

    `shared` is what all rows have in common.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(many.clause, many.arrays(rows) | shared)
    else:
        connection.execute(one, [row | shared for row in many.named(rows)])


def found(connection: Connection, one: Executable, many: Many, rows: Sequence[Row], **shared: Any) -> set[int]:
    """`execute` for statements that return the id of each row they found: those."""
    if connection.dialect.name == "postgresql":
        return set(connection.execute(many.clause, many.arrays(rows) | shared).scalars())
    return {row_id for row in many.named(rows) for row_id in connection.scalars(one, row | shared)}
