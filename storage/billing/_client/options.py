"""Parse a backend's settings table into its options dataclass; errors name the field."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from flows.domain.records import Secret

T = TypeVar("T")


def _table(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError
    return dict(given)


def _seconds(given: object) -> float:
    seconds = float(str(given))
    if not 0 < seconds < 86_400:
        raise ValueError
    return seconds


def _words(given: object) -> tuple[str, ...]:
    """Parse a list, or a comma-separated string from an environment variable."""
    if isinstance(given, str):
        return tuple(word.strip() for word in given.split(",") if word.strip())
    return tuple(map(str, given))  # type: ignore[call-overload]


READ: Mapping[Any, Callable[[Any], Any]] = {
    str: str,
    int: int,
    float: _seconds,
    Secret: lambda value: Secret(str(value)),
    tuple[str, ...]: _words,
    Mapping[str, str]: _table,
    Mapping[str, Any]: _table,
}
"""Parser by field type; a float is always a time, above 0 and below 86400 seconds."""


def read(cls: type[T], given: Mapping[str, Any]) -> T:
    """Build a dataclass from a table; ValueError names the first unknown, missing or invalid field."""
    options: dict[str, Field[Any]] = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    for name in given:
        if name not in options:
            raise ValueError(f"bss.{name}: not known here; there are {', '.join(options)}")
    values = {name: _value(options[name], given[name]) for name in given}
    for name, each in options.items():
        if name not in values and each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"bss.{name}: missing")
    return cls(**values)


def _value(each: Field[Any], given: Any) -> Any:
    try:
        return READ[each.type](given)
    except (TypeError, ValueError):
        raise ValueError(f"bss.{each.name}: has the wrong form") from None
