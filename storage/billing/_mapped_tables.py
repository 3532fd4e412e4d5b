"""Mapped tables: an operator's tables and columns under our names, with keys of any type."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, column, func, select, table

from storage.billing._sql_rows import RowBatch, read_rows
from storage.sql.engine import Database

REQUIRED_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "subscribers": ("id", "msisdn", "account", "since"),
    "bills": ("id", "account", "issued", "due", "total", "remaining"),
    "lines": ("bill", "rubric", "amount"),
    "payments": ("account", "paid_on", "amount"),
    "entries": ("account", "what", "at", "kind", "amount"),
    "allowances": ("account", "user", "kind", "used"),
    "services": ("account", "name"),
    "debits": ("account", "reference"),
}
"""Columns each mapping must name."""
DEFAULT_BY_OPTIONAL_COLUMN: Mapping[str, Mapping[str, Any]] = {
    "subscribers": {
        "name": "",
        "kind": "mobile",
        "segment": "residential",
        "language": "",
        "email": "",
        "email_validated": False,
        "address": "",
        "account_number": "",
        "media": "paper",
        "status": "",
        "until": None,
    },
    "bills": {"number": None, "tax": Decimal(0), "cancelled": False, "published": True, "currency": ""},
    "lines": {"user": ""},
    "payments": {"method": "", "bill": "", "key": ""},
    "entries": {"label": "", "quantity": 0, "user": "", "centre": ""},
    "allowances": {"granted": None, "renews_on": None},
    "services": {"user": "", "since": None, "until": None},
    "debits": {"account_end": "", "collects_on": None},
}
"""Columns a mapping may leave out, with the value they then have."""
KEY_CONVERTERS: Mapping[type, Callable[[str], Any]] = {int: int, float: float, Decimal: Decimal, UUID: UUID}
"""How a key is written for a column that holds values of a type; any other column holds text."""


class MappedTable:
    """One mapped table, its columns under our names. ValueError names a missing or unknown setting."""

    def __init__(self, mapping_name: str, mapping: Mapping[str, Any]) -> None:
        allowed = {*REQUIRED_COLUMNS[mapping_name], *DEFAULT_BY_OPTIONAL_COLUMN[mapping_name], "table"}
        for part in (*REQUIRED_COLUMNS[mapping_name], "table"):
            if not isinstance(mapping.get(part), str) or not mapping[part]:
                raise ValueError(f"bss.{mapping_name}.{part}: missing")
        for part in mapping:
            if part not in allowed:
                raise ValueError(
                    f"bss.{mapping_name}.{part}: not known here; there are {', '.join(sorted(allowed))}"
                )
        self._defaults = DEFAULT_BY_OPTIONAL_COLUMN[mapping_name]
        self.columns: dict[str, ColumnElement[Any]] = {
            ours: column(str(theirs)) for ours, theirs in mapping.items() if ours != "table"
        }
        self.key_types: dict[str, type] = {}
        """Type of the values of each column that was searched."""
        schema, _, last = str(mapping["table"]).rpartition(".")
        self._table = table(last, *self.columns.values(), schema=schema or None)  # type: ignore[arg-type]

    def select_all(self) -> Select[Any]:
        """Select every mapped column, labelled with our name."""
        return select(*(each.label(ours) for ours, each in self.columns.items())).select_from(self._table)

    def count_rows(self) -> Select[Any]:
        """Select the number of rows."""
        return select(func.count()).select_from(self._table)

    def select_sample(self, column_name: str) -> Select[Any]:
        """Select one value of a column, to learn the type of its keys."""
        wanted = self.columns[column_name]
        return select(wanted).select_from(self._table).where(wanted.is_not(None)).limit(1)

    def with_defaults(self, row: Any) -> dict[str, Any]:
        """Return a row with the defaults of the columns that are not mapped."""
        return {**self._defaults, **row._mapping}


class MappedTableReader:
    """Reads rows of mapped tables; a row that cannot be read is left out and named by its key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key_type(self, mapped_table: MappedTable, column_name: str) -> type:
        """Return the type of a key column's values, read once; text while the table is empty."""
        if column_name not in mapped_table.key_types:
            query = mapped_table.select_sample(column_name)
            sample = await self._database.read(lambda connection: connection.execute(query).first())
            if sample is None:
                return str
            mapped_table.key_types[column_name] = type(sample[0])
        return mapped_table.key_types[column_name]

    async def find_rows(
        self,
        mapped_table: MappedTable,
        column_name: str,
        values: Sequence[str],
        key_name: str,
        refine: Callable[[Select[Any]], Select[Any]] = lambda query: query,
    ) -> RowBatch:
        """Return the rows where a column is one of these values, in whatever type the column has."""
        keys = convert_keys(values, await self.key_type(mapped_table, column_name))
        if not keys:
            return RowBatch(())
        query = mapped_table.select_all().where(mapped_table.columns[column_name].in_(keys))
        return await self.fetch_rows(mapped_table, refine(query), key_name)

    async def fetch_rows(self, mapped_table: MappedTable, query: Select[Any], key_name: str) -> RowBatch:
        """Run a query; rows that cannot be read are named by their key."""
        key = mapped_table.columns[key_name]
        batch = await self._database.read(lambda connection: read_rows(connection, query, key, {}))
        return replace(batch, rows=[mapped_table.with_defaults(row) for row in batch.rows])

    async def count_rows(self, mapped_table: MappedTable, condition: ColumnElement[bool]) -> int:
        """Return the number of rows that fulfil a condition."""
        query = mapped_table.count_rows().where(condition)
        return await self._database.read(lambda connection: int(connection.execute(query).scalar_one()))


def convert_keys(values: Sequence[str], key_type: type) -> list[Any]:
    """Return keys in the type of a column's values; those that cannot be of that type are left out."""
    convert = KEY_CONVERTERS.get(key_type, str)
    keys = []
    for value in values:
        with suppress(ValueError, InvalidOperation):
            if "\0" not in value and (convert is str or len(value) <= MAX_KEY_CHARS):
                keys.append(convert(value))
    return keys


def iso_text(value: object) -> str:
    """Return a date, an instant or a text as ISO 8601 text; empty for NULL."""
    return value.isoformat() if isinstance(value, date) else str(value or "")


MAX_KEY_CHARS = 36
"""Longest number or UUID that is a key."""
