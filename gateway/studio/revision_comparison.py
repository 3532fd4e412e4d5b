"""Comparison of two packs by what their owners see: screens, options, texts, keywords, rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from flows.domain.pack_revisions import PackFiles
from menus.packfile.yaml_source import PackError, YamlValue, parse_yaml

ChangedThing = Literal["screen", "option", "text", "keyword", "rule", "language", "file"]


@dataclass(frozen=True, slots=True)
class PackDifference:
    """One difference between two packs."""

    what: ChangedThing
    """`rule` is a value of pack.yaml; `file` is a file that cannot be read as YAML in one of the two."""
    name: str
    """Of the screen, text, keyword's target, value or file."""
    part: str
    """Which part: an option's text, a screen's field, a text's channel and form; empty for all of it."""
    language: str
    """Of a text or of a language's data; empty for everything else."""
    old: str | None
    """What it was; None when it was not there."""
    new: str | None
    """What it is; None when it is not there any more."""

    @property
    def verb(self) -> Literal["added", "removed", "changed"]:
        """What happened to it."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"


def compare_revisions(old: PackFiles, new: PackFiles) -> Sequence[PackDifference]:
    """Return how two packs differ, file by file; comments and layout of the files make no difference."""
    return [each for path in old.changed_paths(new) for each in _compare_file(path, old, new)]


def _compare_file(path: str, old: PackFiles, new: PackFiles) -> Iterator[PackDifference]:
    texts = old.texts.get(path), new.texts.get(path)
    try:
        values = [{} if text is None else parse_yaml(text.encode(), path).value for text in texts]
    except PackError:
        values = [""]
    if not all(isinstance(value, dict) for value in values):
        yield PackDifference("file", path, "", "", *texts)
        return
    before, after = [dict(_list_entries(path, value)) for value in values]
    language = PurePosixPath(path).stem if "/" in path else ""
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            what, name, part = key
            yield PackDifference(what, name, part, language, before.get(key), after.get(key))


def _list_entries(path: str, value: YamlValue) -> Iterator[tuple[tuple[ChangedThing, str, str], str]]:
    """Yield the entries of a file by what they are, name and part."""
    top = value if isinstance(value, dict) else {}
    if path == "screens.yaml":
        yield from _list_screens(top)
    elif path == "keywords.yaml":
        yield from _list_keywords(top)
    else:
        kind: ChangedThing = "rule" if path == "pack.yaml" else "language"
        kind = "text" if path.startswith("texts/") else kind
        for name, each in top.items():
            yield from (((kind, name, part), text) for part, text in _flatten(each))


def _list_screens(top: Mapping[str, YamlValue]) -> Iterator[tuple[tuple[ChangedThing, str, str], str]]:
    screens = top.get("screens")
    for name, screen in screens.items() if isinstance(screens, dict) else ():
        fields = screen if isinstance(screen, dict) else {"": screen}
        options = fields.get("options")
        rest = {key: each for key, each in fields.items() if key != "options" or not isinstance(each, list)}
        yield ("screen", name, ""), "; ".join(f"{part}: {text}" for part, text in _flatten(rest))
        for index, option in enumerate(options if isinstance(options, list) else ()):
            label = option.get("text", "") if isinstance(option, dict) else ""
            text = "; ".join(f"{part}: {each}" for part, each in _flatten(option))
            yield ("option", name, str(label) or str(index + 1)), text
    for name, each in top.items():
        if name != "screens":
            yield from ((("screen", name, part), text) for part, text in _flatten(each))


def _list_keywords(top: Mapping[str, YamlValue]) -> Iterator[tuple[tuple[ChangedThing, str, str], str]]:
    keywords = top.get("keywords")
    for each in keywords if isinstance(keywords, list) else ():
        fields = each if isinstance(each, dict) else {}
        rest = "; ".join(f"{part}: {text}" for part, text in _flatten({**fields, "to": ""}) if text)
        yield ("keyword", str(fields.get("to", "")), rest if "takes" in fields else ""), _join(each)
    for name, each in top.items():
        if name != "keywords":
            yield from ((("keyword", name, part), text) for part, text in _flatten(each))


def _join(value: YamlValue) -> str:
    return "; ".join(f"{part}: {text}" if part else text for part, text in _flatten(value))


def _flatten(value: YamlValue, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each scalar with the dotted path that leads to it; a list of scalars is one value."""
    if isinstance(value, str):
        yield prefix, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _flatten(each, f"{prefix}.{key}" if prefix else key)
    elif all(isinstance(each, str) for each in value):
        yield prefix, ", ".join(map(str, value))
    else:
        for index, each in enumerate(value):
            yield from _flatten(each, f"{prefix}.{index + 1}" if prefix else str(index + 1))
