"""Field parsers of BSS answers: strict where a subscriber sees the value, lenient everywhere else."""

import unicodedata
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from flows.domain.failures import InvalidRecord

MAX_AMOUNT = Decimal(10) ** 9
"""Larger amounts are refused: no bill of one subscriber reaches 10^9."""
SMALLEST_FRACTION, ZERO = Decimal("0.0001"), Decimal(0)
MAX_TEXT_CHARS = 200
MAX_ID_CHARS = 128
MAX_NUMERIC_ID = Decimal(10) ** 38
"""Larger numbers are no identifiers: no database counts so far."""
TRUE_WORDS = frozenset({"1", "t", "true", "y", "yes", "on"})
FALSE_WORDS = frozenset({"", "0", "f", "false", "n", "no", "off"})
"""Words of flags in tables, and of servers, that have no truth values."""
EARLIEST_DATE, LATEST_DATE = date(1990, 1, 1), date(2100, 1, 1)


def field_error(field_name: str) -> InvalidRecord:
    """Return the failure for a field that cannot be used; it names the field, never the value."""
    return InvalidRecord(f"the BSS answered an unusable {field_name}")


def as_object(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def objects_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Return the JSON objects of a list; its other items are skipped, and anything but a list is empty."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def clean_text(value: object, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a string as one line without control characters, cut to `max_chars`; else empty."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value[:max_chars].strip()
    characters = (" " if each.isspace() else each for each in value[: max_chars * 4] if _is_printable(each))
    return " ".join("".join(characters).split())[:max_chars]


def _is_printable(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"


def identifier_text(value: object) -> str:
    """Return an identifier: a string unchanged, a whole number as its digits; else empty."""
    if isinstance(value, Decimal):
        return str(int(value)) if abs(value) < MAX_NUMERIC_ID and value == int(value) else ""
    return value if isinstance(value, str) else ""


def require_identifier(value: object, field_name: str = "id") -> str:
    """Return an identifier; Down unless it is printable and at most 128 characters long."""
    identity = identifier_text(value)
    if not identity or len(identity) > MAX_ID_CHARS or not identity.isprintable():
        raise field_error(field_name)
    return identity


def parse_amount(value: object, field_name: str, limit: Decimal = MAX_AMOUNT) -> Decimal:
    """Parse an amount, given as a number or a string; Down unless finite and below `limit`, 10^15 at most.

    Rounded to four decimals.
    """
    try:
        number = value if isinstance(value, Decimal) else Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not -limit < number < limit:
        raise field_error(field_name)
    rounded = number.quantize(SMALLEST_FRACTION)
    return (number if rounded == number else rounded) + ZERO  # 1E+2 becomes 100, and -0 becomes 0


def parse_instant(value: object, zone: tzinfo) -> datetime | None:
    """Parse an ISO 8601 instant; without an offset it is in the operator's time zone. None if invalid."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if instant is None or not EARLIEST_DATE < instant.date() < LATEST_DATE:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


def parse_day(value: object, zone: tzinfo, field_name: str) -> date:
    """Parse a date, or an instant as its date in the operator's time zone; Down when invalid."""
    if not isinstance(value, str) or not 8 <= len(value) <= 40:
        raise field_error(field_name)
    try:
        return _cached_day(value, zone)
    except ValueError:
        raise field_error(field_name) from None


@lru_cache(maxsize=4096)
def _cached_day(value: str, zone: tzinfo) -> date:
    """Parse with a cache: the bills of a cycle share a few dates."""
    instant = datetime.fromisoformat(value)
    local = (
        instant.astimezone(zone) if instant.tzinfo and EARLIEST_DATE < instant.date() < LATEST_DATE else instant
    )
    if not EARLIEST_DATE < local.date() < LATEST_DATE:
        raise ValueError
    return local.date()


def prorata_days(first: date | None, end: date | None) -> tuple[int, int]:
    """Return the days a charge covers (`end` excluded) and the days of its month; (0, 0) for whole months."""
    if first is None or end is None:
        return 0, 0
    days, of_days = (end - first).days, monthrange(first.year, first.month)[1]
    return (days, of_days) if 0 < days < of_days else (0, 0)


def parse_flag(value: object) -> bool | None:
    """Return a truth value, a number or a word such as `Y`; False for NULL, None for any other word."""
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None
    return bool(value)
