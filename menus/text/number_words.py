"""Numbers in words: what num2words knows, and a small table of what it gets wrong or leaves out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from num2words import CONVERTER_CLASSES, num2words


@dataclass(frozen=True, slots=True)
class Idiom:
    """How one language speaks around its numbers."""

    minus: str = "minus"
    at: str = "@"
    dot: str = "."
    day: str = "{day} {month} {year}"
    """A date: `{day}` in words, `{nth}` as an ordinal, `{month}` by name, `{year}` in words."""
    first: str = ""
    """The first of a month, where it has a word of its own."""
    measured: Mapping[str, str] = field(default_factory=dict)
    """A number with its unit where the rule `{n} {unit}` fails, by CLDR plural category."""
    mend: tuple[tuple[str, str], ...] = ()
    """Patterns in the library's words, with what is said instead."""
    mend_alone: tuple[tuple[str, str], ...] = ()
    """The same for numbers that no noun follows."""
    mend_year: tuple[tuple[str, str], ...] = ()
    """The same, after those, for years: Arabic has the word for year in mind, which the number follows."""


_IDIOMS: Mapping[str, Idiom] = {
    "ro": Idiom(
        at="arond",
        dot="punct",
        first="întâi",
        measured={"one": "un {unit}"},
        mend=((r"\bunu de mii\b", "una de mii"), (r"\bdoi de mii\b", "două mii")),
    ),
    "fr": Idiom(minus="moins", at="arobase", dot="point", first="premier"),
    "en": Idiom(at="at", dot="dot", day="the {nth} of {month} {year}", mend=((",", ""),)),
    "ar": Idiom(
        minus="ناقص",
        at="آت",
        dot="نقطة",
        first="أول",
        measured={"one": "{unit} واحد", "two": "{unit}"},
        mend=((" و ", " و"),),
        mend_alone=((r"مئتا$", "مئتان"), (r"ألفا$", "ألفان"), (r"مليونا$", "مليونان")),
        mend_year=((r"ان\b", "ين"), (r"ون\b", "ين"), (r"اثنا عشر$", "اثني عشر")),
    ),
}


def idiom(language: str) -> Idiom:
    """How a language speaks, plainly for one not in the table; ValueError when numbers have no words."""
    if language not in CONVERTER_CLASSES:
        raise ValueError(f"numbers cannot be spoken in {language!r}")
    return _IDIOMS.get(language, Idiom())


@lru_cache(maxsize=4096)
def words(value: int, language: str, kind: str = "cardinal") -> str:
    """A whole number in words as they stand before a noun; `kind` is `cardinal`, `ordinal` or `year`."""
    spoken = idiom(language)
    if value < 0:
        return f"{spoken.minus} {words(-value, language, kind)}"
    return _mended(str(num2words(value, lang=language, to=kind)), spoken.mend)


def alone(value: int, language: str, kind: str = "cardinal") -> str:
    """A whole number in words when no noun follows."""
    return _mended(words(value, language, kind), idiom(language).mend_alone)


def year_words(value: int, language: str) -> str:
    """A year in words, as it stands behind a month."""
    return _mended(alone(value, language, "year"), idiom(language).mend_year)


def measured(value: int, language: str, category: str, units: Mapping[str, str]) -> str:
    """A whole number with its unit, which `units` holds by CLDR plural category (`other` for the rest)."""
    pattern = idiom(language).measured.get(category, "{n} {unit}")
    return pattern.format(n=words(value, language), unit=units.get(category, units["other"]))


def _mended(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for wrong, right in table:
        text = re.sub(wrong, right, text)
    return " ".join(text.split())
