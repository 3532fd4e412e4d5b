"""Options: a settings table read into a backend's own dataclass, every field named when it is wrong."""

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
    """A list, or words between commas as the environment gives them."""
    if isinstance(given, str):
        return tuple(word.strip() for word in given.split(",") if word.strip())
    return tuple(map(str, given))  # type: ignore[call-overload]


READ: Mapping[Any, Callable[[Any], Any]] = {
    str: str,
    int: int,
    float: _seconds,
    Secret: lambda given: Secret(str(given)),
    tuple[str, ...]: _words,
    Mapping[str, str]: _table,
    Mapping[str, Any]: _table,
}
"""By a field's type; a float is always seconds, more than none."""


def read(cls: type[T], given: Mapping[str, Any]) -> T:
    """A dataclass filled from a table; ValueError names the first field that is unknown, missing or wrong."""
    known: dict[str, Field[Any]] = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise ValueError(f"bss.{name}: not known here; there are {', '.join(known)}")
    values = {name: _value(known[name], given[name]) for name in given}
    for name, each in known.items():
        if name not in values and each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"bss.{name}: missing")
    return cls(**values)


def _value(each: Field[Any], given: Any) -> Any:
    try:
        return READ[each.type](given)
    except (TypeError, ValueError):
        raise ValueError(f"bss.{each.name}: has the wrong form") from None
