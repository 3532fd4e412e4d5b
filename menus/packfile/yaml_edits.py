"""YAML editor for pack files: replaces, adds or removes one value in place; comments and layout stay.

Every edit is parsed again and compared: it either changes exactly the value it was asked to change, or it is
refused with YamlEditError.
"""

from typing import Any, NamedTuple

import yaml

from menus.model.user_error import UserError
from menus.packfile.yaml_source import ValuePath, YamlValue, parse_yaml
from menus.packfile.yaml_writing import (
    YamlEditError,
    write_block_value,
    write_entry,
    write_flow_value,
    write_scalar,
)


class _Span(NamedTuple):
    """Part of a file that is replaced: from, to, and the new characters."""

    start: int
    end: int
    new: str


class _Place(NamedTuple):
    """A value in the file: its node, the collection it is in, and the key it has in a mapping."""

    node: yaml.Node
    parent: yaml.CollectionNode | None = None
    key: yaml.Node | None = None

    @property
    def is_in_block(self) -> bool:
        """Whether the value has lines of its own: no brackets are around it."""
        return bool(self.parent and not self.parent.flow_style)


def set_value(text: str, path: ValuePath, value: YamlValue) -> str:
    """Return a file's text with the value at a path replaced, or added below the last part that is there.

    Raises PackError for a text that is not YAML, YamlEditError where the value cannot be put.
    """
    before, places, missing = _follow_path(text, path)
    if not missing and value_below(before, path) == value:
        return text
    if missing:
        added = _nest_value(missing[1:], value)
        span = _addition(text, places[-1].node if places else None, missing[0], added)
    else:
        span = _replacement(text, places[-1], value)
    return _apply_span(text, span, _put_in(before, path, value))


def append_item(text: str, path: ValuePath, item: YamlValue) -> str:
    """Return a file's text with an item added to the end of the list at a path; a missing list is added."""
    before, places, missing = _follow_path(text, path)
    if missing:
        return set_value(text, path, [item])
    node, items = places[-1].node, value_below(before, path)
    if not isinstance(node, yaml.SequenceNode) or not isinstance(items, list):
        raise YamlEditError(f"{_path_name(path)} is not a list")
    if node.flow_style:
        span = _flow_addition(node, write_flow_value(item))
    else:
        indent = " " * node.start_mark.column
        end = _line_end(text, _content_end(text, node))
        span = _Span(end, end, f"\n{indent}- {write_flow_value(item)}")
    return _apply_span(text, span, _put_in(before, path, [*items, item]))


def remove_value(text: str, path: ValuePath) -> str:
    """Return a file's text without the key or item at a path; unchanged where there is none.

    A mapping or list that had nothing else is left empty: `{}` or `[]` stands in its place.
    """
    before, places, missing = _follow_path(text, path)
    if missing or len(places) < 2:
        return text
    place, node = places[-1], places[-2].node
    if len(node.value) == 1:
        span = _replacement(text, places[-2], {} if isinstance(node, yaml.MappingNode) else [])
    else:
        span = _block_removal(text, place) if place.is_in_block else _flow_removal(place)
    return _apply_span(text, span, _without(before, path))


def value_below(value: YamlValue, path: ValuePath) -> YamlValue | None:
    """Return the value at a path; None where there is none."""
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
            value = value[part]
        else:
            return None
    return value


def _follow_path(text: str, path: ValuePath) -> tuple[YamlValue, list[_Place], ValuePath]:
    """Return the file's value, the places along a path, the file's own first, and the parts not there."""
    before = parse_yaml(text.encode("utf-8", "surrogatepass"), "text").value
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    places = [] if root is None else [_Place(root)]
    for depth, part in enumerate(path):
        found = _find_child(places[-1].node, part) if places else None
        if found is None:
            return before, places, path[depth:]
        places.append(found)
    return before, places, ()


def _find_child(node: yaml.Node, part: str | int) -> _Place | None:
    """Return the value of a key, or the item at an index."""
    if isinstance(node, yaml.MappingNode):
        pairs = ((key, value) for key, value in node.value if key.value == part)
        return next((_Place(value, node, key) for key, value in pairs), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
        return _Place(node.value[part], node)
    return None


def _replacement(text: str, place: _Place, value: YamlValue) -> _Span:
    """Return the edit that writes a value over the one at a place."""
    node, start = place.node, place.node.start_mark.index
    end = _content_end(text, node)
    if place.key is not None and place.is_in_block:
        after_colon = text.index(":", place.key.end_mark.index) + 1
        if not text[after_colon:start].strip():
            has_comment = text[end : _line_end(text, end)].strip()
            new = (
                write_flow_value(value)
                if has_comment
                else write_block_value(value, place.key.start_mark.column)
            )
            return _Span(after_colon, max(end, after_colon), new if new.startswith("\n") else f" {new}")
    return _Span(start, end, write_flow_value(value))


def _addition(text: str, parent: yaml.Node | None, key: str | int, value: YamlValue) -> _Span:
    """Return the edit that adds a key to a mapping; to the file itself where there is nothing in it yet."""
    if parent is None:
        return _Span(
            len(text), len(text), ("" if text.endswith("\n") or not text else "\n") + write_entry(key, value, 0)
        )
    if not isinstance(parent, yaml.MappingNode) or not isinstance(key, str):
        raise YamlEditError(f"there is no such place for {key!r} in the file")
    if parent.flow_style:
        return _flow_addition(parent, f"{write_scalar(key)}: {write_flow_value(value)}")
    end = _line_end(text, _content_end(text, parent))
    return _Span(end, end, "\n" + write_entry(key, value, parent.start_mark.column).rstrip("\n"))


def _flow_addition(parent: yaml.Node, form: str) -> _Span:
    """Return the edit that adds something before a closing bracket."""
    if not parent.value:
        return _Span(parent.start_mark.index + 1, parent.start_mark.index + 1, form)
    last = parent.value[-1]
    end = (last[1] if isinstance(last, tuple) else last).end_mark.index
    return _Span(end, end, f", {form}")


def _block_removal(text: str, place: _Place) -> _Span:
    """Return the edit that takes the lines of a key or an item out."""
    first = (place.key or place.node).start_mark.index
    start = text.rfind("\n", 0, first) + 1
    if place.key is not None and text[start:first].strip():  # behind the dash of its item
        return _Span(first, _entry_spans(place)[1][0], "")
    end = _line_end(text, _content_end(text, place.node))
    return _Span(start, text.find("\n", end) + 1 or len(text), "")


def _flow_removal(place: _Place) -> _Span:
    """Return the edit that takes a key or an item out of brackets, with the comma before or behind it."""
    spans = _entry_spans(place)
    first = (place.key or place.node).start_mark.index
    index = next(at for at, (start, _) in enumerate(spans) if start == first)
    if index:
        return _Span(spans[index - 1][1], spans[index][1], "")
    return _Span(first, spans[1][0], "")


def _entry_spans(place: _Place) -> list[tuple[int, int]]:
    """Return first and last index of each key with its value, or each item, beside a value."""
    entries = place.parent.value if place.parent else ()
    pairs = (each if isinstance(each, tuple) else (each, each) for each in entries)
    return [(first.start_mark.index, last.end_mark.index) for first, last in pairs]


def _content_end(text: str, node: yaml.Node) -> int:
    """Return where a value ends, without the comments and empty lines behind it."""
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        return start + len(text[start:end].rstrip(" \r\n")) if node.style in ("|", ">") else end
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _content_end(text, last[1] if isinstance(last, tuple) else last)


def _line_end(text: str, start: int) -> int:
    """Return the end of the line, before its line break."""
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    return end - 1 if end > start and text[end - 1] == "\r" else end


def _apply_span(text: str, span: _Span, expected: YamlValue) -> str:
    """Return the edited text; YamlEditError unless it reads as the expected value."""
    edited = text[: span.start] + span.new + text[span.end :]
    try:
        after = parse_yaml(edited.encode(), "text").value
    except UserError as error:
        raise YamlEditError(f"the file cannot be edited here: {error}") from error
    if after != expected:
        raise YamlEditError("the file cannot be edited here without changing something else")
    return edited


def _put_in(value: Any, path: ValuePath, new: YamlValue) -> YamlValue:
    """Return the value with the one at a path replaced or added."""
    if not path:
        return new
    if isinstance(value, dict):
        inner = _put_in(value[path[0]], path[1:], new) if path[0] in value else _nest_value(path[1:], new)
        return {**value, str(path[0]): inner}
    return [_put_in(each, path[1:], new) if index == path[0] else each for index, each in enumerate(value)]


def _nest_value(path: ValuePath, value: YamlValue) -> YamlValue:
    """Return a value inside mappings with these keys."""
    for part in reversed(path):
        value = {str(part): value}
    return value


def _without(value: Any, path: ValuePath) -> YamlValue:
    """Return the value without the key or item at a path that is there."""
    first, rest = path[0], path[1:]
    if rest:
        return _put_in(value, (first,), _without(value[first], rest))
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != first}
    return [each for index, each in enumerate(value) if index != first]


def _path_name(path: ValuePath) -> str:
    return "/".join(map(str, path))
