"""Settings errors in words: each names its field, and for an unknown field the names that exist there."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gateway.settings_sources import variable_name
from menus.packfile.messages import suggest_name

NO_SUCH_SETTING = "there is no such setting{source}; {suggestion}"
IS_EMPTY = "must not be empty; docs/settings.md shows what belongs here"
Location = Sequence[int | str]
"""Where pydantic found an error: names of fields, keys of tables, places in lists."""


def format_errors(
    error: ValidationError,
    place: str,
    model: type[BaseModel],
    environ: Mapping[str, str],
    tables: Collection[str] = (),
) -> str:
    """Return a line for each invalid field with what is wrong, never with its value.

    `place` is the dotted name of the table that was validated as `model`; `tables` are further names that it
    may hold. An unknown field that an environment variable set is named with that variable.
    """
    details = error.errors(include_input=False, include_url=False)
    return "\n".join(_describe_fault(each, place, model, environ, tables) for each in details)


def missing_file_hint(path: Path) -> str:
    """Return where the settings file was looked for, if it is missing."""
    if path.is_file():
        return ""
    return f"\nno {path.name} in {path.absolute().parent}; write one there, or name yours with DIALTREE_CONFIG"


def _describe_fault(
    detail: Any, place: str, model: type[BaseModel], environ: Mapping[str, str], tables: Collection[str]
) -> str:
    """Return a field's name and what is wrong: pydantic's message, or ours where its own is about Python."""
    path = [*filter(None, place.split(".")), *map(str, detail["loc"])]
    fault = IS_EMPTY if detail["type"] == "too_short" else str(detail["msg"])
    if detail["type"] == "extra_forbidden":
        known = [*_known_names(model, detail["loc"][:-1]), *(tables if len(detail["loc"]) == 1 else ())]
        variable = variable_name(path)
        source = f" (from {variable})" if variable in environ else ""
        fault = NO_SUCH_SETTING.format(source=source, suggestion=suggest_name(path[-1], sorted(known)))
    return f"{'.'.join(path)}: {fault}"


def _known_names(model: type[BaseModel], location: Location) -> list[str]:
    """Return the fields of the table at a location inside a model; none where it is no table of fields."""
    found: Any = model
    for step in location:
        found = _next_type(found, step)
    table = _find_model(found)
    return [*table.model_fields] if table else []


def _next_type(found: Any, step: int | str) -> Any:
    """Return the type one step further: of a model's field, or of what a table or list holds."""
    table = _find_model(found)
    if table is not None:
        field = table.model_fields.get(str(step))
        return field.annotation if field else None
    arguments = [each for each in get_args(found) if each not in (type(None), Ellipsis)]
    return arguments[-1] if arguments else None


def _find_model(found: Any) -> type[BaseModel] | None:
    """Return a type that is a model, or the one model of an optional type."""
    if get_origin(found) in (Union, UnionType):
        models = [each for each in map(_find_model, get_args(found)) if each]
        return models[0] if len(models) == 1 else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None
