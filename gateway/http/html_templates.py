"""HTML templates (Jinja2): escaped by default, strict about undefined names, compiled once at start."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


class HtmlTemplates:
    """The templates of one folder, all compiled when this object is built.

    A template that does not compile stops the start. Nothing is written beside the templates, and a file
    changed later is not read again.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates = {
            name: self._environment.get_template(name) for name in self._environment.list_templates()
        }

    def render(self, name: str, values: dict[str, Any]) -> str:
        """Return a template filled with these values; UndefinedError for a value it needs and has not got."""
        return self._templates[name].render(values)
