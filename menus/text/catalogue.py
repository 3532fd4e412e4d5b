"""Texts: catalogues of templates with named slots, by name, language and channel."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from menus.packfile import messages
from menus.packfile.yaml_source import Finding, PackError, Path_, Source

_SLOT = re.compile(r"\{([a-z][a-z0-9_]*(?::(?:bare|digits|of))?)\}")
"""`{total:bare}` is an amount without its currency, where the screen has named it already;
`{said:digits}` is spoken digit by digit, a number in full; `{month:of}` is the month behind a word for `of`,
which may grow together with it (`d'avril`): the texts `month.of_1` to `month.of_12` say how."""
PLURALS = ("zero", "one", "two", "few", "many", "other")
VARIANTS = ("all", "ussd", "sms", "voice", "short")
"""`short` is what a caller hears the second time, instead of `voice`."""


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text with slots; anything else in braces stays as it is written."""

    parts: tuple[str, ...]
    """Literals at even places, slot names at odd ones."""
    forms: Mapping[str, "Template"] = field(default_factory=dict)
    """By CLDR plural category, or by a word's last name; `parts` are then those of `other`."""
    by: str = ""
    """The count or the word that decides; the first count in the text by default."""

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of its slots, in whatever form."""
        own = self.parts[1::2]
        return own + tuple(slot for form in self.forms.values() for slot in form.parts[1::2] if slot not in own)

    @property
    def literals(self) -> tuple[str, ...]:
        """What stands between the slots, in whatever form."""
        own = self.parts[::2]
        return own + tuple(part for form in self.forms.values() for part in form.parts[::2])

    @property
    def counts(self) -> bool:
        """Does a count decide its words?"""
        return bool(self.forms) and self.forms.keys() <= set(PLURALS)

    def form(self, category: str) -> "Template":
        """The words of a category; those of `other` where it has none of its own."""
        return self.forms.get(category, self)

    def fill(self, value: Callable[[str], str]) -> str:
        """The text with each slot replaced; a value is never looked at for slots again."""
        if len(self.parts) == 1:
            return self.parts[0]
        return "".join(value(part) if odd % 2 else part for odd, part in enumerate(self.parts))


@dataclass(frozen=True, slots=True)
class Entry:
    """One text: the variants it has, and where it is written."""

    variants: Mapping[str, Template]
    source: Source = field(repr=False)
    name: str

    def on(self, channel: str) -> Template:
        """The text of a channel: its own variant, or the one for all."""
        found = self.variants.get(channel) or self.variants.get("all")
        return found or Template(("",))

    def finding(self, what: str, channel: str = "") -> Finding:
        """A finding at this text."""
        return self.source.finding((self.name, channel) if channel in self.variants else (self.name,), what)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All texts of one pack in one language."""

    language: str
    entries: Mapping[str, Entry] = field(repr=False)

    def template(self, name: str, channel: str) -> Template:
        """The template of a text; an unknown name is a KeyError (the load-time check excludes it)."""
        return self.entries[name].on(channel)

    def __contains__(self, name: str) -> bool:
        return name in self.entries


def template(text: str) -> Template:
    """Cut a text at its slots."""
    return Template(tuple(_SLOT.split(text.strip("\n"))))


def catalogue(language: str, sources: list[Source]) -> Catalogue:
    """Merge sources into one catalogue; later ones replace earlier texts of the same name."""
    entries: dict[str, Entry] = {}
    for source in sources:
        entries.update(_entries(source))
    return Catalogue(language, entries)


def _entries(source: Source) -> Iterator[tuple[str, Entry]]:
    if not isinstance(source.value, dict):
        raise PackError([source.finding((), messages.NO_CATALOGUE)])
    for name, value in source.value.items():
        yield name, Entry(_variants(source, name, value), source, name)


def _variants(source: Source, name: str, value: object) -> Mapping[str, Template]:
    if isinstance(value, str) or (isinstance(value, dict) and "other" in value):
        return {"all": _worded(source, (name,), value)}
    if not isinstance(value, dict):
        raise PackError([source.finding((name,), messages.NO_WORDS.format(name=name))])
    unknown = [key for key in value if key not in VARIANTS]
    if unknown:
        what = messages.UNKNOWN_CHANNEL.format(channel=unknown[0], known=", ".join(VARIANTS))
        raise PackError([source.finding((name, unknown[0]), what)])
    return {channel: _worded(source, (name, channel), text) for channel, text in value.items()}


def _worded(source: Source, path: Path_, value: object) -> Template:
    """A string, or strings by plural category; which words `by` may name, `overflow_checks` knows."""
    if isinstance(value, str):
        return template(value)
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise PackError([source.finding(path, messages.NOT_WORDED)])
    unknown = [] if "by" in value else sorted(value.keys() - set(PLURALS))
    if unknown or "other" not in value:
        fault = messages.UNKNOWN_COUNT if unknown else messages.NO_OTHER
        what = fault.format(category="".join(unknown[:1]), known=", ".join(PLURALS))
        raise PackError([source.finding(path, what)])
    forms = {category: template(text) for category, text in value.items() if category != "by"}
    return Template(forms["other"].parts, forms, value.get("by", ""))
