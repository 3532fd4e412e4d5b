"""Fields of a BSS's answer: strict where a subscriber sees the value, lenient everywhere else."""

import unicodedata
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from flows.domain.failures import Down

MOST_AMOUNT = Decimal(10) ** 9
"""No bill of one subscriber comes to a thousand million."""
FINEST, ZERO = Decimal("0.0001"), Decimal(0)
MOST_TEXT = 200
MOST_ID = 128
EARLIEST, LATEST = date(1990, 1, 1), date(2100, 1, 1)


def wrong(what: str) -> Down:
    """The failure for an answer that may not be shown; it names the field, never the value."""
    return Down(f"the BSS answered an unusable {what}")


def table(value: object) -> Mapping[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; anything else in it is passed over."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def text(value: object, most: int = MOST_TEXT) -> str:
    """Words in one line without control characters, cut to a length; empty for anything but a string."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value[:most].strip()
    kept = (" " if each.isspace() else each for each in value[: most * 4] if _printed(each))
    return " ".join("".join(kept).split())[:most]


def _printed(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"


def told(value: object) -> str:
    """An identifier as it came, a whole number as its digits; empty for anything else."""
    if isinstance(value, Decimal):
        return str(int(value)) if abs(value) < MOST_AMOUNT and value == int(value) else ""
    return value if isinstance(value, str) else ""


def name(value: object, what: str = "id") -> str:
    """An identifier, strictly: printable and not too long."""
    identity = told(value)
    if not identity or len(identity) > MOST_ID or not identity.isprintable():
        raise wrong(what)
    return identity


def amount(value: object, what: str) -> Decimal:
    """An amount, strictly: a number or a string of one, finite, of a size a bill can have."""
    try:
        number = value if isinstance(value, Decimal) else Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not -MOST_AMOUNT < number < MOST_AMOUNT:
        raise wrong(what)
    rounded = number.quantize(FINEST)
    return (number if rounded == number else rounded) + ZERO  # 1E+2 becomes 100, and -0 becomes 0


def moment(value: object, zone: tzinfo) -> datetime | None:
    """An instant, UTC or of the operator's time zone; None for anything that is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or not EARLIEST < found.date() < LATEST:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def day(value: object, zone: tzinfo, what: str) -> date:
    """A day, strictly: of a date as it is, of an instant in the operator's time zone."""
    if not isinstance(value, str) or not 8 <= len(value) <= 40:
        raise wrong(what)
    try:
        return _day(value, zone)
    except ValueError:
        raise wrong(what) from None


@lru_cache(maxsize=4096)
def _day(value: str, zone: tzinfo) -> date:
    """The bills of a cycle bear the same few days."""
    moment = datetime.fromisoformat(value)
    local = moment.astimezone(zone) if moment.tzinfo and EARLIEST < moment.date() < LATEST else moment
    if not EARLIEST < local.date() < LATEST:
        raise ValueError
    return local.date()


def part(first: date | None, end: date | None) -> tuple[int, int]:
    """The days a charge covers, `end` left out, of those its month has; none of none for whole months."""
    if first is None or end is None:
        return 0, 0
    days, whole = (end - first).days, monthrange(first.year, first.month)[1]
    return (days, whole) if 0 < days < whole else (0, 0)
