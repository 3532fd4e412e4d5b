"""Spoken-digit parser: digits from speech recognition, by a language's number words and its YAML file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from menus.packfile.schema import EarFile
from menus.packfile.yaml_source import read
from menus.text.input_parsing import digits_of, folded
from menus.text.number_words import words

FOLDER = Path(__file__).parents[1] / "digits"
SILENT = EarFile.model_validate({})
"""Rules of a language without a file: number words only."""


@dataclass(frozen=True, slots=True)
class Ear:
    """Recognises digits in one language's words."""

    known: Mapping[str, str]
    """Digits by spoken phrase, folded; longer phrases win over shorter ones."""
    times: Mapping[str, int]
    """Words that repeat the next number ("double"), with how many times."""
    longest: int
    """Words in the longest phrase."""
    hints: tuple[str, ...]
    """Words of the single digits as written, as hints for speech recognition."""

    def digits(self, said: str) -> str:
        """Return the digits spoken, or an empty string when a word is no number; written digits stay.

        Words joined by a dash belong together: `quarante quatre-vingt` is 40 and 80, not 44 and 20.
        """
        words_left = [folded(word) for word in digits_of(said).replace("+", " 00 ").split()]
        digits = ""
        while words_left:
            times = self.times.get(words_left[0], 1)
            words_left = words_left[1:] if times > 1 else words_left
            count, number = self._first(words_left)
            if not number:
                return ""
            digits += number * times
            words_left = words_left[count:]
        return digits

    def _first(self, heard: list[str]) -> tuple[int, str]:
        """Return the number of words in the longest phrase at the front, and its digits; (0, "") for none."""
        for count in range(min(self.longest, len(heard)), 0, -1):
            digits = self.known.get(" ".join(heard[:count]))
            if digits:
                return count, digits
        written = heard[0].replace(" ", "") if heard else ""
        return (1, written) if written.isdecimal() else (0, "")


def ear(locale: str) -> Ear:
    """Return the recogniser of a locale's language: that of French for `fr_TN`."""
    return _ear(locale.partition("_")[0])


@cache
def _ear(language: str) -> Ear:
    path = FOLDER / f"{language}.yaml"
    rules = EarFile.model_validate(read(path, f"digits/{language}.yaml").value) if path.is_file() else SILENT
    phrases = dict(_known(language, rules))
    hints = tuple(words(digit, language) for digit in range(10)) + tuple(rules.also) + tuple(rules.times)
    repeat_words = {folded(word): count for word, count in rules.times.items()}
    return Ear(phrases, repeat_words, max(len(phrase.split()) for phrase in phrases), hints)


def _known(language: str, form: EarFile) -> Iterator[tuple[str, str]]:
    """Yield (folded phrase, digits) for the number words, their variants and the additional words."""
    for number in range(form.below):
        phrase = words(number, language)
        yield folded(phrase), str(number)
        for pattern, replacement in form.vary.items():
            yield folded(re.sub(pattern, replacement, phrase)), str(number)
    yield from ((folded(word), str(number)) for word, number in form.also.items())
