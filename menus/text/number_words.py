"""Numbers in words: num2words, with a table of corrections and additions per language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from num2words import CONVERTER_CLASSES, num2words


@dataclass(frozen=True, slots=True)
class NumberIdiom:
    """Words and patterns that one language uses with numbers, and corrections to num2words."""

    minus: str = "minus"
    at: str = "@"
    dot: str = "."
    day: str = "{day} {month} {year}"
    """A date: `{day}` in words, `{nth}` as an ordinal, `{month}` by name, `{year}` in words."""
    first_of_month: str = ""
    """The first day of a month, where it has a word of its own."""
    quantity_patterns: Mapping[str, str] = field(default_factory=dict)
    """Patterns of a number with its unit other than `{n} {unit}`, by CLDR plural category."""
    corrections: tuple[tuple[str, str], ...] = ()
    """Corrections to the words of num2words: pattern and replacement."""
    bare_corrections: tuple[tuple[str, str], ...] = ()
    """Further corrections to numbers without a noun behind them."""
    year_corrections: tuple[tuple[str, str], ...] = ()
    """Further corrections to years, after those: Arabic puts them in the genitive, as if after "year"."""


_IDIOMS: Mapping[str, NumberIdiom] = {
    "ro": NumberIdiom(
        at="arond",
        dot="punct",
        first_of_month="întâi",
        quantity_patterns={"one": "un {unit}"},
        corrections=((r"\bunu de mii\b", "una de mii"), (r"\bdoi de mii\b", "două mii")),
    ),
    "fr": NumberIdiom(minus="moins", at="arobase", dot="point", first_of_month="premier"),
    "en": NumberIdiom(at="at", dot="dot", day="the {nth} of {month} {year}", corrections=((",", ""),)),
    "ar": NumberIdiom(
        minus="ناقص",
        at="آت",
        dot="نقطة",
        first_of_month="أول",
        quantity_patterns={"one": "{unit} واحد", "two": "{unit}"},
        corrections=((" و ", " و"),),
        bare_corrections=((r"مئتا$", "مئتان"), (r"ألفا$", "ألفان"), (r"مليونا$", "مليونان")),
        year_corrections=((r"ان\b", "ين"), (r"ون\b", "ين"), (r"اثنا عشر$", "اثني عشر")),
    ),
}


def find_idiom(language: str) -> NumberIdiom:
    """Return a language's entry, or an empty one; ValueError when num2words does not know the language."""
    if language not in CONVERTER_CLASSES:
        raise ValueError(f"numbers cannot be spoken in {language!r}")
    return _IDIOMS.get(language, NumberIdiom())


@lru_cache(maxsize=4096)
def spell_number(value: int, language: str, kind: str = "cardinal") -> str:
    """Spell a whole number as before a noun; `kind` is `cardinal`, `ordinal` or `year`."""
    language_idiom = find_idiom(language)
    if value < 0:
        return f"{language_idiom.minus} {spell_number(-value, language, kind)}"
    return _apply_corrections(str(num2words(value, lang=language, to=kind)), language_idiom.corrections)


def spell_bare_number(value: int, language: str, kind: str = "cardinal") -> str:
    """Spell a whole number without a noun behind it."""
    return _apply_corrections(spell_number(value, language, kind), find_idiom(language).bare_corrections)


def spell_year(value: int, language: str) -> str:
    """Spell a year as after the name of a month."""
    return _apply_corrections(spell_bare_number(value, language, "year"), find_idiom(language).year_corrections)


def spell_quantity(value: int, language: str, category: str, units: Mapping[str, str]) -> str:
    """Spell a whole number with its unit; `units`: words by CLDR plural category, `other` for the rest."""
    pattern = find_idiom(language).quantity_patterns.get(category, "{n} {unit}")
    return pattern.format(n=spell_number(value, language), unit=units.get(category, units["other"]))


def _apply_corrections(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for wrong, right in table:
        text = re.sub(wrong, right, text)
    return " ".join(text.split())
