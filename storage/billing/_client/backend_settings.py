"""Parse a backend's settings table into its options dataclass; errors name the field."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from flows.domain.records import Secret

T = TypeVar("T")


def _parse_table(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return dict(value)


def _parse_seconds(value: object) -> float:
    seconds = float(str(value))
    if not 0 < seconds < 86_400:
        raise ValueError
    return seconds


def _parse_words(value: object) -> tuple[str, ...]:
    """Parse a list, or a comma-separated string from an environment variable."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return tuple(map(str, value))  # type: ignore[call-overload]


PARSER_BY_TYPE: Mapping[Any, Callable[[Any], Any]] = {
    str: str,
    int: int,
    float: _parse_seconds,
    Secret: lambda value: Secret(str(value)),
    tuple[str, ...]: _parse_words,
    Mapping[str, str]: _parse_table,
    Mapping[str, Any]: _parse_table,
}
"""Parser by field type; a float is always a time, above 0 and below 86400 seconds."""


def parse_options(cls: type[T], settings: Mapping[str, Any]) -> T:
    """Build a dataclass from a table; ValueError names the first unknown, missing or invalid field."""
    options: dict[str, Field[Any]] = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    for name in settings:
        if name not in options:
            raise ValueError(f"bss.{name}: not known here; there are {', '.join(options)}")
    values = {name: _parse_option(options[name], settings[name]) for name in settings}
    for name, each in options.items():
        if name not in values and each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"bss.{name}: missing")
    return cls(**values)


def _parse_option(option: Field[Any], value: Any) -> Any:
    try:
        return PARSER_BY_TYPE[option.type](value)
    except (TypeError, ValueError):
        raise ValueError(f"bss.{option.name}: has the wrong form") from None
