"""Validation of a pack's files against their schemas, with findings an operator's staff can act on."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from menus.packfile import messages
from menus.packfile.language_file import LanguageFile, NumberWordsForm, SpokenDigitsForm
from menus.packfile.schema import (
    PATTERN_EXAMPLES,
    AcceptForm,
    EachForm,
    KeywordForm,
    LanguageForm,
    OptionForm,
    PackFile,
    PackForm,
    RulesForm,
    ScreenForm,
    ScriptForm,
    VoiceForm,
)
from menus.packfile.yaml_source import Finding, PackError, SourceFile, ValuePath

F = TypeVar("F", bound=PackForm)
FIELD_NAMES = frozenset(
    field.alias or name
    for form in (
        PackFile,
        ScreenForm,
        OptionForm,
        EachForm,
        AcceptForm,
        KeywordForm,
        RulesForm,
        LanguageForm,
        LanguageFile,
        NumberWordsForm,
        SpokenDigitsForm,
        ScriptForm,
        VoiceForm,
    )
    for name, field in form.model_fields.items()
)
"""Every field a pack may have, to suggest the one that was meant."""


def validate_source(schema: type[F], source: SourceFile) -> F:
    """Validate a file against its schema; PackError with one finding per invalid field."""
    try:
        return schema.model_validate(source.value)
    except ValidationError as error:
        raise PackError([_schema_finding(source, detail) for detail in error.errors()]) from error


def _schema_finding(source: SourceFile, detail: ErrorDetails) -> Finding:
    """Convert a pydantic error to a finding at the field's place in the file."""
    path: ValuePath = tuple(part for part in detail["loc"] if part != "[key]")
    return source.finding_at(path, _schema_message(detail, path))


SCHEMA_MESSAGES: Mapping[str, str] = {
    "extra_forbidden": messages.UNKNOWN_FIELD,
    "missing": messages.MISSING_FIELD,
    "literal_error": messages.UNKNOWN_VALUE,
    "string_pattern_mismatch": messages.WRONG_PATTERN,
    "string_type": messages.NOT_A_TEXT,
    "int_parsing": messages.NOT_A_NUMBER,
    "int_type": messages.NOT_A_NUMBER,
    "bool_parsing": messages.NOT_A_BOOLEAN,
    "bool_type": messages.NOT_A_BOOLEAN,
    "list_type": messages.NOT_A_LIST,
    "dict_type": messages.NOT_A_MAPPING,
    "model_type": messages.NOT_A_MAPPING,
    "too_short": messages.EMPTY_LIST,
    "greater_than_equal": messages.BELOW_MINIMUM,
    "less_than_equal": messages.ABOVE_MAXIMUM,
}
"""Message by pydantic's error type."""


def _schema_message(detail: ErrorDetails, path: ValuePath) -> str:
    """Return the checker's message for a pydantic error."""
    last, context = path[-1] if path else "", detail.get("ctx", {})
    is_own_check = detail["type"] == "value_error"
    is_text = is_own_check and isinstance(detail["input"], str)  # not a mapping whose fields contradict
    plain = messages.UNUSABLE_VALUE if is_text else messages.INVALID_FIELD
    return SCHEMA_MESSAGES.get(detail["type"], plain).format(
        name=last,
        field=repr(last) if isinstance(last, str) and last else "this",
        given=repr(detail["input"]),
        instead=messages.suggest_name(str(last), FIELD_NAMES),
        known=context.get("expected"),
        example=PATTERN_EXAMPLES.get(context.get("pattern", "")),
        bound=context.get("ge", context.get("le")),
        why=context["error"] if is_own_check else detail["msg"],
    )
