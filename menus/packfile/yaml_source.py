"""Safe YAML reader for pack files: every scalar is a string, every value has its line and column."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from menus.model.errors import Unusable
from menus.packfile import messages

Loader = Any
"""Class of a PyYAML loader; PyYAML has no types for it."""
MOST_BYTES = 256 * 1024
"""Largest file."""
MOST_DEPTH = 20
"""Deepest nesting of mappings and lists."""
MOST_NODES = 20_000
"""Most YAML events of a file."""
KEPT = 256
"""Parsed files in the cache: more than there are, few enough for the old versions under hot reload."""
SWIFT: Loader | None = getattr(yaml, "CSafeLoader", None)
"""The loader of libyaml, ten times as fast; None where PyYAML was built without it."""
ODD = re.compile("[\t\ufeff]|[|>][-+0-9]*#")
"""What libyaml accepts and PyYAML's own loader does not: tabs, byte order marks, a comment right behind a
block indicator."""

Path_ = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""
Value = str | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault of a pack: file, line, column, and the message with what to write instead."""

    file: str
    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}"


class PackError(Unusable):
    """A pack is invalid; `findings` holds the faults, sorted by place."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = sorted(findings)
        super().__init__("\n".join(map(str, self.findings)))


@dataclass(frozen=True, slots=True)
class Source:
    """The values of one YAML file and the position of each."""

    file: str
    """File name in findings."""
    value: Value
    marks: Mapping[Path_, tuple[int, int]]
    """Line and column by path, both from 1."""

    def finding(self, path: Path_, what: str) -> Finding:
        """Build a finding at a value, or at the nearest enclosing one that the file has."""
        while path and path not in self.marks:
            path = path[:-1]
        line, column = self.marks.get(path, (1, 1))
        return Finding(self.file, line, column, what)


def read(path: Path, shown: str = "") -> Source:
    """Read one YAML file; findings use the display name, the path by default. Raises PackError."""
    file = shown or str(path)
    if not path.is_file():
        raise PackError([Finding(file, 1, 1, messages.NO_FILE)])
    data = path.read_bytes()
    if len(data) > MOST_BYTES:
        raise PackError([Finding(file, 1, 1, messages.TOO_BIG.format(bytes=len(data), most=MOST_BYTES))])
    return parse(data, file)


@lru_cache(maxsize=KEPT)
def parse(data: bytes, file: str) -> Source:
    """Parse YAML bytes; cached, since packs share files and sources are immutable.

    Raises PackError for anything but plain mappings, lists and scalars. A file that libyaml rejects is parsed
    again without it, so that findings have the same text and place with or without libyaml.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise PackError([Finding(file, 1, 1, messages.NOT_UTF8.format(byte=error.start))]) from error
    if SWIFT and not ODD.search(text):
        with suppress(PackError):
            return parsed(text, file, SWIFT)
    return parsed(text, file, yaml.SafeLoader)


def parsed(text: str, file: str, loader: Loader) -> Source:
    """Parse with one of PyYAML's two loaders; raises PackError."""
    try:
        _refuse(text, file, loader)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise PackError([_broken(file, error)]) from error
    marks: dict[Path_, tuple[int, int]] = {}
    return Source(file, {} if root is None else _value(root, (), marks, file), marks)


def _broken(file: str, error: yaml.YAMLError) -> Finding:
    """Convert a YAML syntax error to a finding at its place."""
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = getattr(error, "problem", None) or "unreadable character"
    return Finding(file, line, column, messages.NOT_YAML.format(problem=problem))


def _at(file: str, event: yaml.Event, what: str) -> PackError:
    """Build the error for a YAML event at its place."""
    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return PackError([Finding(file, line, column, what)])


def _refuse(text: str, file: str, loader: Loader) -> None:
    """Reject aliases, tags and excessive size or depth from the event stream, before a tree is built."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.AliasEvent):
            raise _at(file, event, messages.ALIAS)
        if getattr(event, "tag", None):
            raise _at(file, event, messages.TAG)
        if loader is SWIFT and _odd(event):
            raise _at(file, event, "")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise _at(file, event, messages.TOO_DEEP.format(most=MOST_DEPTH))
        if count > MOST_NODES:
            raise _at(file, event, messages.TOO_MANY.format(most=MOST_NODES))


def _odd(event: yaml.Event) -> bool:
    """Return whether libyaml may read or place a scalar differently: empty values and plain question marks."""
    return isinstance(event, yaml.ScalarEvent) and not event.style and (not event.value or "?" in event.value)


def _value(node: yaml.Node, path: Path_, marks: dict[Path_, tuple[int, int]], file: str) -> Value:
    """Convert a YAML node to plain values and record their positions."""
    marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), marks, file) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, marks, file))
    return str(node.value)


def _pairs(
    node: yaml.MappingNode, path: Path_, marks: dict[Path_, tuple[int, int]], file: str
) -> Iterator[tuple[str, Value]]:
    """Yield the pairs of a mapping; PackError for a duplicate key."""
    seen = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            raise PackError([Finding(file, line, column, messages.KEY_TWICE.format(name=name))])
        seen.add(name)
        yield name, _value(value, (*path, name), marks, file)
