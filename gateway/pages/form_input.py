"""Form field of a page: name, length, and HTML attributes such as keyboard type and autocompletion."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FormInput:
    """One field of a form; its label and hint are the texts `page.NAME` and `page.NAME_hint`."""

    name: str
    max_length: int
    """In characters."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Further HTML attributes: keyboard type, autocompletion."""
    is_required: bool = True
    line_count: int = 1
    """More than one makes a text area."""
