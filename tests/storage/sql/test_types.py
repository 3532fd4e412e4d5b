"""Column types: an instant on SQLite is the text that SQLAlchemy writes, so that both compare."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import DateTime
from sqlalchemy.dialects import sqlite

from storage.sql.types import UtcTime

SQLITE = sqlite.dialect()
NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "instant", [NINE, NINE.replace(microsecond=5), NINE.astimezone(timezone(timedelta(hours=2)))]
)
def test_an_instant_is_written_as_sqlalchemy_writes_it(instant: datetime) -> None:
    write, expected = UtcTime().bind_processor(SQLITE), DateTime().dialect_impl(SQLITE).bind_processor(SQLITE)
    assert write is not None and expected is not None
    assert write(instant) == expected(instant.astimezone(UTC))


def test_a_naive_instant_is_refused() -> None:
    write = UtcTime().bind_processor(SQLITE)
    assert write is not None and write(None) is None
    with pytest.raises(ValueError, match="naive"):
        write(NINE.replace(tzinfo=None))
