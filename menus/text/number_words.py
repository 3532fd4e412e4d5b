"""Numbers in words: num2words, with the corrections and additions of a language's data file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from num2words import CONVERTER_CLASSES, num2words

from menus.packfile.language_file import Corrections, NumberWordsForm


@dataclass(frozen=True, slots=True)
class NumberSpeller:
    """Spells whole numbers in one language."""

    language: str
    """ISO 639 code, as num2words names the language."""
    idiom: NumberWordsForm
    """The language's own words, patterns and corrections."""

    def __post_init__(self) -> None:
        if self.language not in CONVERTER_CLASSES:
            raise ValueError(f"numbers cannot be spoken in {self.language!r}")

    def spell_number(self, value: int, kind: str = "cardinal") -> str:
        """Spell a whole number as before a noun; `kind` is `cardinal`, `ordinal` or `year`."""
        if value < 0:
            return f"{self.idiom.minus} {self.spell_number(-value, kind)}"
        return _apply_corrections(_library_words(value, self.language, kind), self.idiom.corrections)

    def spell_bare_number(self, value: int, kind: str = "cardinal") -> str:
        """Spell a whole number without a noun behind it."""
        return _apply_corrections(self.spell_number(value, kind), self.idiom.bare_corrections)

    def spell_feminine(self, value: int) -> str:
        """Spell a whole number as before a feminine noun."""
        return _apply_corrections(self.spell_number(value), self.idiom.feminine)

    def spell_year(self, value: int) -> str:
        """Spell a year as after the name of a month."""
        return _apply_corrections(self.spell_bare_number(value, "year"), self.idiom.year_corrections)

    def spell_quantity(self, value: int, category: str, units: Mapping[str, str]) -> str:
        """Spell a whole number with its unit; `units`: words by CLDR plural category, `other` for the rest."""
        last = value % 100
        if value > 100 and last in self.idiom.compounds:
            every_unit = {name: units.get(name, units["other"]) for name in ("one", "two", "other")}
            return self.idiom.compounds[last].format(n=self.spell_number(value - last), **every_unit)
        pattern = self.idiom.quantity_patterns.get(category, "{n} {unit}")
        return pattern.format(n=self.spell_number(value), unit=units.get(category, units["other"]))


@lru_cache(maxsize=4096)
def _library_words(value: int, language: str, kind: str) -> str:
    return str(num2words(value, lang=language, to=kind))


def _apply_corrections(text: str, table: Corrections) -> str:
    for wrong, right in table:
        text = _compile_pattern(wrong).sub(right, text)
    return " ".join(text.split())


@cache
def _compile_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
