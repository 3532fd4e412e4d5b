"""Form field of a page: name, length, and HTML attributes such as keyboard type and autocompletion."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.domain.records import Secret
from menus.text.input_parsing import to_ascii_digits


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


CODE_INPUT = FormInput("code", 12, {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code"})
"""The field of a one-time code; phones offer to fill in the code of the newest SMS."""


def read_code(form_fields: Mapping[str, str]) -> Secret:
    """Return the one-time code posted, with ASCII digits and without blanks."""
    return Secret("".join(to_ascii_digits(form_fields.get(CODE_INPUT.name, "")).split()))
