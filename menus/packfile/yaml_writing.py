"""YAML writer for values of pack files: plain where that is safe, else quoted; on one or more lines."""

import re

from menus.model.user_error import UserError
from menus.packfile.yaml_source import YamlValue

MAX_FLOW_WIDTH = 100
"""Longest list or mapping, in characters, that is written on one line."""
_PLAIN = re.compile(r"[^\W\d_](?:[\w.!'()/+*;-]| (?! ))*(?<! )")
"""Texts that need no quotes, inside brackets either: a letter first, then nothing YAML gives a meaning to."""
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that other readers of YAML take for a boolean or nothing."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


class YamlEditError(UserError):
    """A value cannot be edited in this file: it is not there, or its place in the file is too unusual."""


def write_entry(key: str | int, value: YamlValue, column: int) -> str:
    """Return the lines of a key and its value, the last one ended."""
    form = write_block_value(value, column)
    space = "" if form.startswith("\n") else " "
    return f"{' ' * column}{write_scalar(str(key))}:{space}{form}\n"


def write_block_value(value: YamlValue, column: int) -> str:
    """Return a value as it stands behind a key at a column: on the same line where it fits, else below it."""
    inner = "\n" + " " * (column + 2)
    if isinstance(value, str):
        return _literal_form(value, inner) if _suits_literal(value) else write_scalar(value)
    flow = write_flow_value(value)
    if len(flow) <= MAX_FLOW_WIDTH or not value:
        return flow
    if isinstance(value, list):
        return "".join(f"{inner}- {write_flow_value(item)}" for item in value)
    return "".join(["\n" + write_entry(key, each, column + 2).rstrip("\n") for key, each in value.items()])


def _suits_literal(text: str) -> bool:
    """Return whether a text of several lines reads the same as a literal block (`|-`)."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and bool(lines[0].strip())
        and not lines[0].startswith(" ")
        and bool(lines[-1].strip())
        and all(line.isprintable() for line in lines)
    )


def _literal_form(text: str, inner: str) -> str:
    """Return a text of several lines as a literal block."""
    return "|-" + "".join(f"{inner}{line}" if line else "\n" for line in text.split("\n"))


def write_flow_value(value: YamlValue) -> str:
    """Return a value on one line."""
    if isinstance(value, str):
        return write_scalar(value)
    if isinstance(value, list):
        return f"[{', '.join(map(write_flow_value, value))}]"
    return f"{{{', '.join(f'{write_scalar(key)}: {write_flow_value(each)}' for key, each in value.items())}}}"


def write_scalar(text: str) -> str:
    """Return a text plain where every reader of YAML takes it for this text, otherwise in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return f'"{"".join(map(_escape_character, text))}"'


def _escape_character(character: str) -> str:
    """Return a character of a double-quoted text; what cannot be seen is written as its code."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code < 0xE000:
        raise YamlEditError("the text has half a character (a lone surrogate): type it again")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
