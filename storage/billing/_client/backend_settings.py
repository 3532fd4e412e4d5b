"""Backend settings: an operator's `bss` table as options; errors name the field."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, InstanceOf, ValidationError, create_model
from pydantic import Field as Constraint

from flows.domain.records import Secret

T = TypeVar("T")


def _split_words(value: object) -> object:
    """Split a comma-separated string from an environment variable; lists pass unchanged."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def _wrap_secret(value: object) -> object:
    return Secret(str(value)) if isinstance(value, str | int | float) else value


TYPES: Mapping[Any, Any] = {
    float: Annotated[float, Constraint(gt=0, lt=86_400)],
    Secret: Annotated[InstanceOf[Secret], BeforeValidator(_wrap_secret)],
    tuple[str, ...]: Annotated[tuple[str, ...], BeforeValidator(_split_words)],
}
"""Validation by field type, where it is more than the type: a float is always a time in seconds."""


def parse_options(cls: type[T], settings: Mapping[str, Any]) -> T:
    """Build a dataclass from a table; ValueError names the first unknown, missing or invalid field.

    The message never repeats a value, which may be a secret.
    """
    options: dict[str, Field[Any]] = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    definitions: Any = {
        name: (TYPES.get(each.type, each.type), _default(each)) for name, each in options.items()
    }
    config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)
    try:
        table = create_model(cls.__name__, __config__=config, **definitions).model_validate(settings)
    except ValidationError as error:
        raise ValueError(_describe_error(error, options)) from None
    return cls(**{name: getattr(table, name) for name in table.model_fields_set})


def _default(option: Field[Any]) -> Any:
    """Return the model's default: required, or any value, as the dataclass has its own."""
    is_required = option.default is MISSING and option.default_factory is MISSING
    return ... if is_required else None


def _describe_error(error: ValidationError, options: Mapping[str, Field[Any]]) -> str:
    """Return the first error with its field, never with its value."""
    details = sorted(error.errors(include_input=False, include_url=False), key=_is_missing)
    kind, place, message = details[0]["type"], details[0]["loc"], details[0]["msg"]
    name = ".".join(map(str, place))
    if kind == "extra_forbidden":
        return f"bss.{name}: not known here; there are {', '.join(options)}"
    return f"bss.{name}: missing" if kind == "missing" else f"bss.{name}: {message}"


def _is_missing(detail: Any) -> bool:
    return bool(detail["type"] == "missing")
