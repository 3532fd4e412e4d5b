"""Direct queries: a SELECT compiled for PostgreSQL once, its rows straight from the driver."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import asyncpg

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class DirectQuery(Generic[T_co]):
    """A SELECT read often enough for SQLAlchemy's part of it to matter: half of the processor time.

    Its columns must need no conversion on PostgreSQL, which those of `storage.sql.types` do not; its rows are
    read by position.
    """

    statement: Select[Any] = field(repr=False)
    wrap_rows: Callable[[Sequence[Any]], T_co] = field(repr=False)
    """Makes the result of the rows."""

    @cached_property
    def postgres_text(self) -> str:
        """The text with PostgreSQL's numbered parameters."""
        return str(self._compiled.string)

    def list_arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the parameters, as the driver takes them; constants need none."""
        return [convert(values.get(name, constant)) for name, constant, convert in self._parameters]

    @cached_property
    def _compiled(self) -> Any:
        return self.statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]

    @cached_property
    def _parameters(self) -> list[tuple[str, Any, Callable[[Any], Any]]]:
        compiled, dialect = self._compiled, self._compiled.dialect
        types = {name: bound.type.dialect_impl(dialect) for name, bound in compiled.binds.items()}
        return [
            (name, compiled.params[name], types[name].bind_processor(dialect) or _unchanged)
            for name in compiled.positiontup
        ]


def _unchanged(value: Any) -> Any:
    """Return the value of a parameter whose type the driver takes as it is."""
    return value
