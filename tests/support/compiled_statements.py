"""Compiled SQL statements, shared by all database engines of a test process.

SQLAlchemy keeps them for each engine. A test opens an engine of its own, so that without this every test
compiles again what the tests before it have compiled, which is a third of the time of a dialog.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache

CAPACITY = 4_000
"""Statements kept: more than all tests use."""


class SharedStatements(LRUCache[Any, Any]):
    """Keeps compiled statements by the kind of their dialect instead of by the engine's own dialect object."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_shared_key(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_shared_key(key), value)


def share_compiled_statements() -> None:
    """Let all engines of this process use one cache from now on."""
    statements = SharedStatements(CAPACITY)

    def use_shared(connection: Connection) -> None:
        connection.execution_options(compiled_cache=statements)

    event.listen(Engine, "engine_connect", use_shared)


def _shared_key(key: tuple[Dialect, Any]) -> tuple[Any, ...]:
    """Return the key of a statement with what its SQL depends on: driver and version of the server."""
    dialect, *statement = key
    return (type(dialect), dialect.server_version_info, dialect.paramstyle, *statement)
