"""HTML templates (Jinja2): escaped by default, strict about undefined names, compiled once at start."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


@cache
def compile_templates(folder: Path) -> Mapping[str, Template]:
    """Return a folder's templates by name, compiled once in a process, however many applications it builds."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return {name: environment.get_template(name) for name in environment.list_templates()}


class HtmlTemplates:
    """The templates of one folder, all compiled when this object is built.

    A template that does not compile stops the start. Nothing is written beside the templates, and a file
    changed later is not read again.
    """

    def __init__(self, folder: Path) -> None:
        self._templates = compile_templates(folder)

    def render(self, name: str, values: dict[str, Any]) -> str:
        """Return a template filled with these values; UndefinedError for a value it needs and has not got."""
        return self._templates[name].render(values)
