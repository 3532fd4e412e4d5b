"""Source files: YAML read safely, every value a string that knows where it stands."""

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
"""One of PyYAML's readers; the swift one is missing where it was built without libyaml."""
MOST_BYTES = 256 * 1024
MOST_DEPTH = 20
MOST_NODES = 20_000
KEPT = 256
"""Files kept parsed: more than there are, and few enough that edits under watch do not pile up."""
SWIFT: Loader | None = getattr(yaml, "CSafeLoader", None)
"""libyaml's reader, ten times as fast, where PyYAML was built with it."""
ODD = re.compile("[\t\ufeff]|[|>][-+0-9]*#")
"""What libyaml takes where PyYAML's own reader does not: tabs, byte order marks, comments at a block's sign."""

Path_ = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
Value = str | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with a pack: where, what, and what to write instead."""

    file: str
    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}"


class PackError(Unusable):
    """A pack cannot be used; `findings` say why."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = sorted(findings)
        super().__init__("\n".join(map(str, self.findings)))


@dataclass(frozen=True, slots=True)
class Source:
    """One file's values, and the place of each."""

    file: str
    value: Value
    marks: Mapping[Path_, tuple[int, int]]

    def finding(self, path: Path_, what: str) -> Finding:
        """A finding at a value, or at the nearest thing around it that stands in the file."""
        while path and path not in self.marks:
            path = path[:-1]
        line, column = self.marks.get(path, (1, 1))
        return Finding(self.file, line, column, what)


def read(path: Path, shown: str = "") -> Source:
    """Read one YAML file; `shown` is the name findings use. Raises PackError."""
    file = shown or str(path)
    if not path.is_file():
        raise PackError([Finding(file, 1, 1, messages.NO_FILE)])
    data = path.read_bytes()
    if len(data) > MOST_BYTES:
        raise PackError([Finding(file, 1, 1, messages.TOO_BIG.format(bytes=len(data), most=MOST_BYTES))])
    return parse(data, file)


@lru_cache(maxsize=KEPT)
def parse(data: bytes, file: str) -> Source:
    """Parse YAML bytes, once for all the packs that share a file: nobody changes a source.

    Raises PackError for anything but plain mappings, lists and scalars. What libyaml refuses is read again
    without it, so that findings are the same words at the same places whatever is installed.
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
    """Parse with one of PyYAML's two readers; raises PackError."""
    try:
        _refuse(text, file, loader)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise PackError([_broken(file, error)]) from error
    marks: dict[Path_, tuple[int, int]] = {}
    return Source(file, {} if root is None else _value(root, (), marks, file), marks)


def _broken(file: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = getattr(error, "problem", None) or "unreadable character"
    return Finding(file, line, column, messages.NOT_YAML.format(problem=problem))


def _at(file: str, event: yaml.Event, what: str) -> PackError:
    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return PackError([Finding(file, line, column, what)])


def _refuse(text: str, file: str, loader: Loader) -> None:
    """Look at the events alone, before any tree exists: bombs cost nothing."""
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
    """May libyaml have read, or placed, this in its own way? Bare question marks and empty values, it may."""
    return isinstance(event, yaml.ScalarEvent) and not event.style and (not event.value or "?" in event.value)


def _value(node: yaml.Node, path: Path_, marks: dict[Path_, tuple[int, int]], file: str) -> Value:
    marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), marks, file) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, marks, file))
    return str(node.value)


def _pairs(
    node: yaml.MappingNode, path: Path_, marks: dict[Path_, tuple[int, int]], file: str
) -> Iterator[tuple[str, Value]]:
    seen = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            raise PackError([Finding(file, line, column, messages.KEY_TWICE.format(name=name))])
        seen.add(name)
        yield name, _value(value, (*path, name), marks, file)
