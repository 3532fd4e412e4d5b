"""Bulk load by COPY (PostgreSQL): rows go into a temporary table, and from there by one INSERT.

COPY itself takes no ON CONFLICT. Its binary rows cost the server a third less than array literals, which it
must parse, and the driver writes them without a text in between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Executable, text
from sqlalchemy.exc import DBAPIError

from storage.sql.bulk import RowValues


@dataclass(frozen=True, slots=True)
class StagedInsert:
    """An `INSERT ... SELECT` from a temporary table that COPY fills; in its text `{rows}` stands for the table.

    The table lives until the end of the transaction, so that it may be used behind a transaction pooler. The
    database account needs the privilege TEMPORARY, which PostgreSQL grants to all unless it was revoked.
    """

    statement: str = field(repr=False)
    stage: str
    """Name of the temporary table; used once in a transaction."""
    types: Mapping[str, str]
    """Its columns and their types."""
    clause: Executable = field(init=False, repr=False)
    create_stage: Executable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.types.items())
        create = text(f"CREATE TEMPORARY TABLE {self.stage} ({columns}) ON COMMIT DROP")
        object.__setattr__(self, "create_stage", create)
        object.__setattr__(self, "clause", text(self.statement.replace("{rows}", f"{self.stage} AS given")))

    def insert_rows(self, connection: Connection, rows: Iterable[RowValues], **shared: Any) -> int:
        """Copy the rows, in the order of the columns, and insert them; return how many the INSERT added.

        `shared` holds the parameters that all rows have in common. The driver's own errors become DBAPIError,
        as those of statements do.
        """
        connection.execute(self.create_stage)
        self._copy_rows(connection, rows)
        return connection.execute(self.clause, shared).rowcount

    def _copy_rows(self, connection: Connection, rows: Iterable[RowValues]) -> None:
        """Fill the temporary table, past SQLAlchemy, which knows no COPY."""
        driver: Any = connection.connection.dbapi_connection
        asyncpg: Any = connection.dialect.loaded_dbapi.asyncpg
        copied = {"records": rows, "columns": list(self.types)}
        try:
            driver.run_async(lambda connected: connected.copy_records_to_table(self.stage, **copied))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise DBAPIError(f"COPY {self.stage}", None, error) from error
