"""Demo marker: distinguishes a database that the demo created from one that was given to it.

Demo people have published passwords, so they are written only to a database that was empty when the demo
first opened it. The table `demo_rows` is created at that moment, together with one row that says so, and
records every bill and usage row that seeding makes: seeding deletes these and no other rows. The table is
part of no migration; a production database never has it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from menus.model.user_error import UserError
from storage.sql.engine import Database

demo_rows = Table(
    "demo_rows",
    MetaData(),
    Column("kind", String(32), primary_key=True),
    Column("operator", String(64), primary_key=True),
    Column("key", String(128), primary_key=True),
)
"""Rows that seeding made, by kind; one row of kind `database` marks the database as the demo's own."""
MARKER: Mapping[str, str] = {"kind": "database", "operator": "", "key": "created by the demo"}
CLAIM_LOCK = text("SELECT pg_advisory_xact_lock(1147499884)")
"""PostgreSQL advisory lock: two demos that open one empty database take turns."""


class ForeignDatabaseError(UserError):
    """The database was not created by the demo: nothing was read from it and nothing written."""

    def __init__(self) -> None:
        super().__init__(
            "database_url: this database was not created by the demo, so the demo does not touch it; unset"
            " DATABASE_URL, or name an empty database (a file that does not exist yet)."
            " A var/demo.db of an earlier release may be deleted."
        )


def has_marker(connection: Connection) -> bool:
    """Return whether the demo created this database."""
    marker = select(demo_rows.c.key).where(demo_rows.c.kind == MARKER["kind"])
    return inspect(connection).has_table(demo_rows.name) and connection.execute(marker).first() is not None


def require_marker(connection: Connection) -> None:
    """Raise ForeignDatabaseError unless the demo created this database."""
    if not has_marker(connection):
        raise ForeignDatabaseError


def add_marker(connection: Connection) -> None:
    """Mark the database as the demo's own."""
    demo_rows.create(connection)
    connection.execute(demo_rows.insert(), dict(MARKER))


async def claim_demo_database(database: Database) -> None:
    """Mark an empty database as the demo's own; ForeignDatabaseError if it is neither empty nor marked.

    Call it before the migrations: they would fill an empty database, or change a database of other data.
    """
    await database.write(_claim_if_empty)


def _claim_if_empty(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(CLAIM_LOCK)
    if has_marker(connection):
        return
    inspector = inspect(connection)
    if inspector.get_table_names() or inspector.get_view_names():
        raise ForeignDatabaseError
    add_marker(connection)


def record_rows(connection: Connection, kind: str, operator: str, keys: Iterable[object]) -> None:
    """Record rows that seeding has just made, so that the next seeding may delete them."""
    rows: list[dict[str, Any]] = [{"kind": kind, "operator": operator, "key": str(key)} for key in keys]
    if rows:
        connection.execute(demo_rows.insert(), rows)
