"""Column types with the same meaning on SQLite and PostgreSQL: UTC instants, exact decimal amounts."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import DateTime, Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """Column type of an instant: stored and returned as aware UTC; ValueError for a naive datetime.

    SQLite has no time zones and would return naive values, which cannot be compared with aware ones.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], object] | None:
        """Return what writes a value; on SQLite the text SQLAlchemy would write, in half its time."""
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value to the form the engine stores."""
        return None if value is None else _to_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a stored value to aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("naive datetime: give every instant a time zone (tzinfo)")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _sqlite_text(value: datetime | None) -> str | None:
    return None if value is None else _to_utc(value).isoformat(" ", "microseconds").removesuffix("+00:00")


class ExactAmount(TypeDecorator[Decimal]):
    """Column type of an amount that keeps its number of decimals: 45.230 stays 45.230.

    NUMERIC without a scale on PostgreSQL; text on SQLite, which has no decimal type.
    """

    impl = Numeric(asdecimal=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal] | TypeEngine[str]:
        """Choose text on SQLite, which would store decimals as floats."""
        return String(40) if dialect.name == "sqlite" else Numeric(asdecimal=True)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Convert a value to the form the engine stores."""
        if value is None or dialect.name != "sqlite":
            return value
        return str(value)

    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        """Convert a stored value to Decimal."""
        return None if value is None else Decimal(value)
