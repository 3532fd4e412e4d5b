"""Safe YAML reader for pack files: every scalar is a string, every value has its line and column."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from menus.model.user_error import UserError
from menus.packfile import messages

YamlLoader = Any
"""Class of a PyYAML loader; PyYAML has no types for it."""
MAX_BYTES = 256 * 1024
"""Largest file."""
MAX_DEPTH = 20
"""Deepest nesting of mappings and lists."""
MAX_VALUES = 20_000
"""Most YAML events of a file."""
PARSE_CACHE_SIZE = 256
"""Parsed files in the cache: more than there are, few enough for the old versions under hot reload."""
LIBYAML_LOADER: YamlLoader | None = getattr(yaml, "CSafeLoader", None)
"""The loader of libyaml, ten times as fast; None where PyYAML was built without it."""
LIBYAML_LENIENT = re.compile("[\t\ufeff]|[|>][-+0-9]*#")
"""What libyaml accepts and PyYAML's own loader does not: tabs, byte order marks, a comment right behind a
block indicator."""

ValuePath = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""
YamlValue = str | list["YamlValue"] | dict[str, "YamlValue"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault of a pack: file, line, column, and the message with what to write instead."""

    file: str
    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}"


class PackError(UserError):
    """A pack is invalid; `findings` holds the faults, sorted by place."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = sorted(findings)
        super().__init__("\n".join(map(str, self.findings)))


@dataclass(frozen=True, slots=True, eq=False)
class SourceFile:
    """The values of one YAML file and the position of each; equal only to itself, so that caches can use it."""

    file: str
    """File name in findings."""
    value: YamlValue
    positions: Mapping[ValuePath, tuple[int, int]]
    """Line and column by path, both from 1."""

    def finding_at(self, path: ValuePath, message: str) -> Finding:
        """Build a finding at a value, or at the nearest enclosing one that the file has."""
        while path and path not in self.positions:
            path = path[:-1]
        line, column = self.positions.get(path, (1, 1))
        return Finding(self.file, line, column, message)


def read_yaml(path: Path, display_name: str = "") -> SourceFile:
    """Read one YAML file; findings use the display name, the path by default. Raises PackError."""
    file = display_name or str(path)
    if not path.is_file():
        raise PackError([Finding(file, 1, 1, messages.MISSING_FILE)])
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise PackError([Finding(file, 1, 1, messages.FILE_TOO_BIG.format(bytes=len(data), most=MAX_BYTES))])
    return parse_yaml(data, file)


@lru_cache(maxsize=PARSE_CACHE_SIZE)
def parse_yaml(data: bytes, file: str) -> SourceFile:
    """Parse YAML bytes; cached, since packs share files and sources are immutable.

    Raises PackError for anything but plain mappings, lists and scalars. A file that libyaml rejects is parsed
    again without it, so that findings have the same text and place with or without libyaml.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise PackError([Finding(file, 1, 1, messages.NOT_UTF8.format(byte=error.start))]) from error
    if LIBYAML_LOADER and not LIBYAML_LENIENT.search(text):
        with suppress(PackError):
            return parse_with_loader(text, file, LIBYAML_LOADER)
    return parse_with_loader(text, file, yaml.SafeLoader)


def parse_with_loader(text: str, file: str, loader: YamlLoader) -> SourceFile:
    """Parse with one of PyYAML's two loaders; raises PackError."""
    try:
        _reject_unsafe(text, file, loader)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise PackError([_syntax_finding(file, error)]) from error
    marks: dict[ValuePath, tuple[int, int]] = {}
    return SourceFile(file, {} if root is None else _node_value(root, (), marks, file), marks)


def _syntax_finding(file: str, error: yaml.YAMLError) -> Finding:
    """Convert a YAML syntax error to a finding at its place."""
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = getattr(error, "problem", None) or "unreadable character"
    return Finding(file, line, column, messages.INVALID_YAML.format(problem=problem))


def _error_at(file: str, event: yaml.Event, message: str) -> PackError:
    """Build the error for a YAML event at its place."""
    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return PackError([Finding(file, line, column, message)])


def _reject_unsafe(text: str, file: str, loader: YamlLoader) -> None:
    """Reject aliases, tags and excessive size or depth from the event stream, before a tree is built."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.AliasEvent):
            raise _error_at(file, event, messages.YAML_ALIAS)
        if getattr(event, "tag", None):
            raise _error_at(file, event, messages.YAML_TAG)
        if loader is LIBYAML_LOADER and _may_read_differently(event):
            raise _error_at(file, event, "")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _error_at(file, event, messages.TOO_DEEP.format(most=MAX_DEPTH))
        if count > MAX_VALUES:
            raise _error_at(file, event, messages.TOO_MANY_VALUES.format(most=MAX_VALUES))


def _may_read_differently(event: yaml.Event) -> bool:
    """Return whether libyaml may read or place a scalar differently: empty values and plain question marks."""
    return isinstance(event, yaml.ScalarEvent) and not event.style and (not event.value or "?" in event.value)


def _node_value(
    node: yaml.Node, path: ValuePath, positions: dict[ValuePath, tuple[int, int]], file: str
) -> YamlValue:
    """Convert a YAML node to plain values and record their positions."""
    positions[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_node_value(item, (*path, index), positions, file) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_mapping_pairs(node, path, positions, file))
    return str(node.value)


def _mapping_pairs(
    node: yaml.MappingNode, path: ValuePath, positions: dict[ValuePath, tuple[int, int]], file: str
) -> Iterator[tuple[str, YamlValue]]:
    """Yield the pairs of a mapping; PackError for a duplicate key."""
    seen = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            raise PackError([Finding(file, line, column, messages.DUPLICATE_YAML_KEY.format(name=name))])
        seen.add(name)
        yield name, _node_value(value, (*path, name), positions, file)
