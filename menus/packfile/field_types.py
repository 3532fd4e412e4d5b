"""Types of the fields of a pack whose wrong values would only show when a subscriber meets them."""

import functools
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, StringConstraints

DATE_PATTERN = r"^\d{4}-\d\d-\d\d$"
PREFIX_PATTERN, SERVICE_PATTERN, TRUNK_PATTERN = r"^\+[1-9][0-9]*$", r"^\+?[0-9*#]{2,20}$", r"^[0-9]{0,3}$"
FIELD_EXAMPLES: Mapping[str, str] = {
    DATE_PATTERN: "year-month-day, like 2026-09-01",
    PREFIX_PATTERN: "the beginning of a number with its country code, like +4021",
    SERVICE_PATTERN: "a number, like 411 or +40740000411",
    TRUNK_PATTERN: "at most three digits, like 0",
}
"""What to write, by pattern."""
LineKind = Literal["mobile", "fixed", "internet", "data_key"]
"""What a line is to its operator."""
NumberPrefix = Annotated[str, StringConstraints(pattern=PREFIX_PATTERN)]
"""How numbers begin, as they are stored: E.164."""
ServiceNumber = Annotated[str, StringConstraints(pattern=SERVICE_PATTERN)]
TrunkPrefix = Annotated[str, StringConstraints(pattern=TRUNK_PATTERN)]

_time_zone_names = functools.cache(available_timezones)  # it reads about a thousand files


def _check_time_zone(name: str) -> str:
    """Return the name if it is a time zone of the IANA database; ValueError otherwise."""
    if name not in _time_zone_names():
        raise ValueError("not a time zone; write one like Europe/Bucharest")
    return name


def _check_day(text: str) -> str:
    """Return the text if the calendar has this day; ValueError otherwise."""
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("not a day of the calendar; write one like 2026-09-01") from None
    return text


def _check_line_kind(name: str) -> str:
    """Return the name if it is a kind of line; ValueError otherwise."""
    if name not in get_args(LineKind):
        raise ValueError(f"not a kind of line; write one of: {', '.join(get_args(LineKind))}")
    return name


LineKindName = Annotated[str, AfterValidator(_check_line_kind)]
TimeZoneName = Annotated[str, AfterValidator(_check_time_zone)]
CalendarDay = Annotated[str, StringConstraints(pattern=DATE_PATTERN), AfterValidator(_check_day)]
