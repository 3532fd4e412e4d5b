"""Cheap frozen dataclasses: immutability is checked by the type checker, not at run time."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_dataclass(cls: type[T]) -> type[T]:
    """Make a slotted dataclass that mypy --strict treats as frozen; for values created on every turn.

    `frozen=True` sets each field through `object.__setattr__`: for the dozen values of a turn that took
    1/16 of the time of a whole request, aiohttp included. The largest are built with their values by position:
    with names Python 3.11 takes three times as long for a class, as it makes a dictionary of them first.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
