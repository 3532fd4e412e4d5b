"""Edits of a YAML file at one place: what stands around it, comments included, stays as it was."""

import json
import re

import yaml

from menus.packfile.yaml_source import Finding, PackError, ValuePath, YamlValue, parse_yaml

PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""Keys written without quotes."""
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def set_value(text: str, path: ValuePath, value: YamlValue) -> str:
    """Return the file with the value at a path replaced, or added to the mapping that lacks it.

    Missing mappings on the way are added, too. Raises PackError for a file that cannot be parsed, and
    ValueError for a path through something that is no mapping or list.
    """
    parent, missing = _find_parent(text, path)
    if not missing:
        return _replace_span(text, parent, _format_flow(value))
    for key in reversed(missing[1:]):
        value = {str(key): value}
    return _checked(_add_entry(text, parent, f"{_format_key(str(missing[0]))}: {_format_flow(value)}"))


def append_item(text: str, path: ValuePath, value: YamlValue) -> str:
    """Return the file with an item added at the end of the list at a path; a missing list is begun."""
    node, missing = _find_parent(text, path)
    if missing:
        return set_value(text, path, [value])
    if not isinstance(node, yaml.SequenceNode):
        raise ValueError(f"{path}: not a list")
    dash = "" if node.flow_style else "- "
    return _checked(_add_entry(text, node, f"{dash}{_format_flow(value)}"))


def remove_value(text: str, path: ValuePath) -> str:
    """Return the file without the entry or item at a path; unchanged where there is none.

    What is left may be an empty mapping: then the file has `{}` or `[]` in its place.
    """
    parent, missing = _find_parent(text, path[:-1])
    if missing or not isinstance(parent, yaml.CollectionNode):
        return text
    entries = _entries_of(parent)
    index = next((at for at, (key, *_) in enumerate(entries) if key == path[-1]), None)
    if index is None:
        return text
    if len(entries) == 1:
        return _replace_span(text, parent, "{}" if isinstance(parent, yaml.MappingNode) else "[]")
    _, first, last = entries[index]
    if parent.flow_style:
        begin = first if index == 0 else entries[index - 1][2]
        end = entries[1][1] if index == 0 else last
        return _checked(text[:begin] + text[end:])
    begin = text.rfind("\n", 0, first) + 1 if index else first
    end = entries[1][1] if index == 0 else _line_end(text, _stripped_end(text, first, last)) + 1
    return _checked(text[:begin] + text[end:])


def _checked(text: str) -> str:
    """Return the text; PackError when an edit has made it unreadable, which is a fault of this module."""
    parse_yaml(text.encode(), "edited")
    return text


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PackError([Finding("edited", line, column, str(getattr(error, "problem", error)))]) from error


def _find_parent(text: str, path: ValuePath) -> tuple[yaml.Node | None, ValuePath]:
    """Return the deepest node on a path, and the keys that are not there."""
    node = _compose(text)
    for depth, key in enumerate(path):
        child = _child_of(node, key)
        if child is None:
            if not isinstance(node, yaml.MappingNode | None) or isinstance(key, int):
                raise ValueError(f"{path}: there is no such place")
            return node, path[depth:]
        node = child
    return node, ()


def _child_of(node: yaml.Node | None, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None


def _entries_of(node: yaml.CollectionNode) -> list[tuple[str | int, int, int]]:
    """Return key, first and last index in the text of each entry of a collection."""
    if isinstance(node, yaml.MappingNode):
        return [(key.value, key.start_mark.index, value.end_mark.index) for key, value in node.value]
    return [(at, item.start_mark.index, item.end_mark.index) for at, item in enumerate(node.value)]


def _replace_span(text: str, node: yaml.Node | None, written: str) -> str:
    if node is None:
        return _checked(f"{text}{written}\n")
    begin, end = node.start_mark.index, _stripped_end(text, node.start_mark.index, node.end_mark.index)
    return _checked(text[:begin] + written + text[end:])


def _add_entry(text: str, node: yaml.Node | None, entry: str) -> str:
    """Return the text with an entry behind the last of a collection; None is an empty file."""
    if node is None:
        lead = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{lead}{entry}\n"
    if not isinstance(node, yaml.CollectionNode):
        raise ValueError("an entry can be added to a mapping or a list only")
    entries = _entries_of(node)
    if not entries:
        brackets = "{%s}" if isinstance(node, yaml.MappingNode) else "[%s]"
        return _replace_span(text, node, brackets % entry)
    _, first, last = entries[-1]
    if node.flow_style:
        return f"{text[:last]}, {entry}{text[last:]}"
    at = _line_end(text, _stripped_end(text, first, last))
    return f"{text[:at]}\n{' ' * node.start_mark.column}{entry}{text[at:]}"


def _stripped_end(text: str, first: int, last: int) -> int:
    """Return where a value ends without the line breaks that a block scalar takes with it."""
    return first + len(text[first:last].rstrip())


def _line_end(text: str, at: int) -> int:
    """Return the index of the line break behind a place, or of the end of the text."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _format_key(key: str) -> str:
    return key if PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS_OF_YAML else json.dumps(key)


def _format_flow(value: YamlValue) -> str:
    """Return a value in YAML's flow style, texts between double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_format_flow, value))}]"
    return f"{{{', '.join(f'{_format_key(key)}: {_format_flow(each)}' for key, each in value.items())}}}"
