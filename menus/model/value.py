"""Values: what is made on every turn, frozen as far as the type checker sees, at no cost while running."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A frozen, slotted dataclass, its frozenness kept by mypy --strict alone.

    `frozen=True` sets each field through `object.__setattr__`: over a turn's dozen values that was a
    sixteenth of the whole request, aiohttp's part included.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
