"""The ear: digits as people say them, by the number words of their language and a file beside its texts."""

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
"""For a language without a file: its digits are heard when they are said as its number words."""


@dataclass(frozen=True, slots=True)
class Ear:
    """How one language says digits."""

    known: Mapping[str, str]
    """What is said, folded, and its digits: longer words win over shorter ones."""
    times: Mapping[str, int]
    """Words that repeat the next digit."""
    longest: int
    """Words in the longest that is known."""
    hints: tuple[str, ...]
    """The words of single digits as they are written."""

    def digits(self, said: str) -> str:
        """The digits said, or nothing at all when one word is none; digits already written stay.

        Words joined by a dash belong together: `quarante quatre-vingt` is 40 and 80, not 44 and 20.
        """
        heard = [folded(word) for word in digits_of(said).replace("+", " 00 ").split()]
        found = ""
        while heard:
            times = self.times.get(heard[0], 1)
            heard = heard[1:] if times > 1 else heard
            taken, digits = self._first(heard)
            if not digits:
                return ""
            found += digits * times
            heard = heard[taken:]
        return found

    def _first(self, heard: list[str]) -> tuple[int, str]:
        """How many words the longest number at the front has, and its digits."""
        for count in range(min(self.longest, len(heard)), 0, -1):
            digits = self.known.get(" ".join(heard[:count]))
            if digits:
                return count, digits
        written = heard[0].replace(" ", "") if heard else ""
        return (1, written) if written.isdecimal() else (0, "")


def ear(locale: str) -> Ear:
    """The ear of a language: `fr_TN` hears French."""
    return _ear(locale.partition("_")[0])


@cache
def _ear(language: str) -> Ear:
    path = FOLDER / f"{language}.yaml"
    form = EarFile.model_validate(read(path, f"digits/{language}.yaml").value) if path.is_file() else SILENT
    known = dict(_known(language, form))
    hints = tuple(words(digit, language) for digit in range(10)) + tuple(form.also) + tuple(form.times)
    times = {folded(word): count for word, count in form.times.items()}
    return Ear(known, times, max(len(said.split()) for said in known), hints)


def _known(language: str, form: EarFile) -> Iterator[tuple[str, str]]:
    for number in range(form.below):
        said = words(number, language)
        yield folded(said), str(number)
        for heard, instead in form.vary.items():
            yield folded(re.sub(heard, instead, said)), str(number)
    yield from ((folded(word), str(number)) for word, number in form.also.items())
