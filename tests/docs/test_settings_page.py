"""docs/settings.md: what the models say, with a meaning for every field of every section."""

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from gateway.providers.registry import discover_providers
from gateway.settings import Settings
from tools import settings_reference
from tools.settings_reference import SECTIONS


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models an annotation names, and those their fields name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for part in typing.get_args(annotation):
        yield from models_in(part)


def test_the_page_is_what_the_models_say() -> None:
    assert settings_reference.PAGE.read_text() == "\n".join(settings_reference.page_lines()), (
        "run python -m tools.settings_reference"
    )


def test_every_model_of_the_settings_has_a_section() -> None:
    assert set(models_in(Settings)) == {model for _, _, model in SECTIONS}


def test_every_field_has_a_meaning() -> None:
    lines = "\n".join(settings_reference.page_lines()).splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert len(rows) > 60
    assert not [row for row in rows if row.rstrip(" |").count("|") < 3]


def test_every_provider_has_a_section() -> None:
    page = settings_reference.PAGE.read_text()
    assert all(f"`[operators.NAME.{name}]`" in page for name in discover_providers())
