"""Many rows in one statement on PostgreSQL, which would run and answer each of them by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, TextClause, text


def unnested(statement: str, **types: str) -> TextClause:
    """A statement in which `{rows}` stands for a table `given` with these columns and types."""
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in types.items())
    names = ", ".join(f'"{name}"' for name in types)
    return text(statement.replace("{rows}", f"unnest({arrays}) AS given({names})"))


def execute(
    connection: Connection, one: Executable, many: TextClause, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run `one` for each row, or `many` for all of them where the engine has it; both mean the same."""
    if connection.dialect.name != "postgresql":
        connection.execute(one, rows)
        return
    connection.execute(many, {name: [row[name] for row in rows] for name in rows[0]})
