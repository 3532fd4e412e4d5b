"""Text catalogue: message templates with named slots and plural forms, by name, language and channel."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from menus.packfile import messages
from menus.packfile.yaml_source import PARSE_CACHE_SIZE, Finding, PackError, SourceFile, ValuePath

_SLOT_PATTERN = re.compile(r"\{([a-z][a-z0-9_]*(?::(?:bare|digits|of|feminine))?)\}")
"""A slot in a text. `{total:bare}` is an amount without its currency, where the screen has named it already;
`{said:digits}` is spoken digit by digit, a number in full; `{month:of}` is the month after a preposition "of",
which may be contracted with it (`d'avril`): the texts `month.of_1` to `month.of_12` hold these forms;
`{quantity:feminine}` is a count as spoken before a feminine noun (`une minute`)."""
PLURAL_CATEGORIES = ("zero", "one", "two", "few", "many", "other")
"""CLDR plural categories."""
SELECTOR = "by"
"""Key of a text whose value is no words but names the fact that selects the form."""
VARIANTS = ("all", "ussd", "sms", "voice", "short")
"""Variants a text may have; `short` replaces `voice` when a caller hears the text a second time."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with slots; anything else in braces stays as it is written."""

    parts: tuple[str, ...]
    """Literals at even indexes, slot names at odd ones."""
    forms: Mapping[str, "Template"] = field(default_factory=dict)
    """Forms by CLDR plural category, or by the last component of a `TextRef`; `parts` are those of `other`."""
    selector: str = ""
    """Name of the fact that selects the form; by default the first count in the text."""

    @property
    def slots(self) -> tuple[str, ...]:
        """The slot names of all forms."""
        own = self.parts[1::2]
        return own + tuple(slot for form in self.forms.values() for slot in form.parts[1::2] if slot not in own)

    @property
    def literals(self) -> tuple[str, ...]:
        """The literal parts of all forms."""
        own = self.parts[::2]
        return own + tuple(part for form in self.forms.values() for part in form.parts[::2])

    @property
    def is_plural(self) -> bool:
        """Whether its forms are plural forms, selected by a count."""
        return bool(self.forms) and self.forms.keys() <= set(PLURAL_CATEGORIES)

    def form_for(self, category: str) -> "Template":
        """Return the form of a category; `other` where it has none of its own."""
        return self.forms.get(category, self)

    def fill(self, slot_text: Callable[[str], str]) -> str:
        """Return the text with each slot replaced; slots inside the values are not replaced."""
        if len(self.parts) == 1:
            return self.parts[0]
        return "".join(slot_text(part) if index % 2 else part for index, part in enumerate(self.parts))


@dataclass(frozen=True, slots=True)
class TextEntry:
    """One text: its variants and the file it is written in."""

    variants: Mapping[str, Template]
    source: SourceFile = field(repr=False)
    name: str

    def template_for(self, channel: str) -> Template:
        """Return the template of a channel: its own variant, else the one for all, else an empty one."""
        variant = self.variants.get(channel) or self.variants.get("all")
        return variant or Template(("",))

    def finding_at(self, what: str, channel: str = "") -> Finding:
        """Build a finding at this text, or at its variant for the channel."""
        return self.source.finding_at((self.name, channel) if channel in self.variants else (self.name,), what)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All texts of one pack in one language."""

    language: str
    entries: Mapping[str, TextEntry] = field(repr=False)

    def template_for(self, name: str, channel: str) -> Template:
        """Return the template of a text; KeyError for an unknown name (excluded by the checks at load)."""
        return self.entries[name].template_for(channel)

    def __contains__(self, name: str) -> bool:
        return name in self.entries


def parse_template(text: str) -> Template:
    """Split a text at its slots."""
    return Template(tuple(_SLOT_PATTERN.split(text.strip("\n"))))


def merge_sources(language: str, sources: list[SourceFile]) -> Catalogue:
    """Merge files into one catalogue; later texts override earlier ones of the same name."""
    entries: dict[str, TextEntry] = {}
    for source in sources:
        entries.update(_parse_entries(source))
    return Catalogue(language, entries)


@lru_cache(maxsize=PARSE_CACHE_SIZE)
def _parse_entries(source: SourceFile) -> Mapping[str, TextEntry]:
    """Return the texts of a file; cached, since packs share files."""
    if not isinstance(source.value, dict):
        raise PackError([source.finding_at((), messages.NOT_A_CATALOGUE)])
    return {
        name: TextEntry(_parse_variants(source, name, value), source, name)
        for name, value in source.value.items()
    }


def _parse_variants(source: SourceFile, name: str, value: object) -> Mapping[str, Template]:
    if isinstance(value, str) or (isinstance(value, dict) and "other" in value):
        return {"all": _parse_forms(source, (name,), value)}
    if not isinstance(value, dict):
        raise PackError([source.finding_at((name,), messages.EMPTY_TEXT.format(name=name))])
    unknown = [key for key in value if key not in VARIANTS]
    if unknown:
        message = messages.UNKNOWN_CHANNEL.format(channel=unknown[0], known=", ".join(VARIANTS))
        raise PackError([source.finding_at((name, unknown[0]), message)])
    return {channel: _parse_forms(source, (name, channel), text) for channel, text in value.items()}


def _parse_forms(source: SourceFile, path: ValuePath, value: object) -> Template:
    """Parse a string, or strings by category; what `by` may select is checked by `overflow_checks`."""
    if isinstance(value, str):
        return parse_template(value)
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise PackError([source.finding_at(path, messages.INVALID_TEXT)])
    unknown = [] if SELECTOR in value else sorted(value.keys() - set(PLURAL_CATEGORIES))
    if unknown or "other" not in value:
        message = messages.UNKNOWN_CATEGORY if unknown else messages.MISSING_OTHER
        filled = message.format(category="".join(unknown[:1]), known=", ".join(PLURAL_CATEGORIES))
        raise PackError([source.finding_at(path, filled)])
    forms = {category: parse_template(text) for category, text in value.items() if category != SELECTOR}
    return Template(forms["other"].parts, forms, value.get(SELECTOR, ""))
