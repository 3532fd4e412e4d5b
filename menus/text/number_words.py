"""Numbers in words: num2words, with a table of corrections and additions per language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from num2words import CONVERTER_CLASSES, num2words


@dataclass(frozen=True, slots=True)
class Idiom:
    """Words and patterns that one language uses with numbers, and corrections to num2words."""

    minus: str = "minus"
    at: str = "@"
    dot: str = "."
    day: str = "{day} {month} {year}"
    """A date: `{day}` in words, `{nth}` as an ordinal, `{month}` by name, `{year}` in words."""
    first: str = ""
    """The first day of a month, where it has a word of its own."""
    measured: Mapping[str, str] = field(default_factory=dict)
    """Patterns of a number with its unit other than `{n} {unit}`, by CLDR plural category."""
    mend: tuple[tuple[str, str], ...] = ()
    """Corrections to the words of num2words: pattern and replacement."""
    mend_alone: tuple[tuple[str, str], ...] = ()
    """Further corrections to numbers without a noun behind them."""
    mend_year: tuple[tuple[str, str], ...] = ()
    """Further corrections to years, after those: Arabic puts them in the genitive, as if after "year"."""


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
    """Return a language's entry, or an empty one; ValueError when num2words does not know the language."""
    if language not in CONVERTER_CLASSES:
        raise ValueError(f"numbers cannot be spoken in {language!r}")
    return _IDIOMS.get(language, Idiom())


@lru_cache(maxsize=4096)
def words(value: int, language: str, kind: str = "cardinal") -> str:
    """Spell a whole number as before a noun; `kind` is `cardinal`, `ordinal` or `year`."""
    language_idiom = idiom(language)
    if value < 0:
        return f"{language_idiom.minus} {words(-value, language, kind)}"
    return _mended(str(num2words(value, lang=language, to=kind)), language_idiom.mend)


def alone(value: int, language: str, kind: str = "cardinal") -> str:
    """Spell a whole number without a noun behind it."""
    return _mended(words(value, language, kind), idiom(language).mend_alone)


def year_words(value: int, language: str) -> str:
    """Spell a year as after the name of a month."""
    return _mended(alone(value, language, "year"), idiom(language).mend_year)


def measured(value: int, language: str, category: str, units: Mapping[str, str]) -> str:
    """Spell a whole number with its unit; `units`: words by CLDR plural category, `other` for the rest."""
    pattern = idiom(language).measured.get(category, "{n} {unit}")
    return pattern.format(n=words(value, language), unit=units.get(category, units["other"]))


def _mended(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for wrong, right in table:
        text = re.sub(wrong, right, text)
    return " ".join(text.split())
