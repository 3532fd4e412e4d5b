"""Spoken-digit parser: digits from speech recognition, by a language's number words and its data file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from menus.packfile.language_file import NumberWordsForm, SpokenDigitsForm
from menus.text.input_parsing import fold_word, to_ascii_digits
from menus.text.number_words import NumberSpeller


@dataclass(frozen=True, slots=True)
class DigitRecogniser:
    """Recognises digits in one language's words."""

    phrases: Mapping[str, str]
    """Digits by spoken phrase, folded; longer phrases win over shorter ones."""
    repeat_words: Mapping[str, int]
    """Words that repeat the next number ("double"), with how many times."""
    max_phrase_words: int
    """Words in the longest phrase."""
    hints: tuple[str, ...]
    """Words of the single digits as written, as hints for speech recognition."""

    def recognise_digits(self, spoken: str) -> str:
        """Return the digits spoken, or an empty string when a word is no number; written digits stay.

        Words joined by a dash belong together: `quarante quatre-vingt` is 40 and 80, not 44 and 20.
        """
        words = [fold_word(word) for word in to_ascii_digits(spoken).replace("+", " 00 ").split()]
        position, digits = 0, ""
        while position < len(words):
            times = self.repeat_words.get(words[position], 1)
            position += times > 1
            count, number = self._longest_phrase(words[position : position + self.max_phrase_words])
            if not number:
                return ""
            digits += number * times
            position += count
        return digits

    def _longest_phrase(self, spoken_words: list[str]) -> tuple[int, str]:
        """Return the number of words in the longest phrase at the front, and its digits; (0, "") for none."""
        for count in range(len(spoken_words), 0, -1):
            digits = self.phrases.get(" ".join(spoken_words[:count]))
            if digits:
                return count, digits
        written = spoken_words[0].replace(" ", "") if spoken_words else ""
        return (1, written) if written.isdecimal() else (0, "")


def build_digit_recogniser(speller: NumberSpeller, rules: SpokenDigitsForm) -> DigitRecogniser:
    """Return the recogniser of a language for its number words and its rules for spoken digits.

    Packs of one language share it: a thousand numbers are spelled and folded for each.
    """
    return _build_recogniser(speller.language, speller.idiom.model_dump_json(), rules.model_dump_json())


@lru_cache(maxsize=64)
def _build_recogniser(language: str, idiom: str, digit_rules: str) -> DigitRecogniser:
    """Build a recogniser from a language's data, as JSON."""
    speller = NumberSpeller(language, NumberWordsForm.model_validate_json(idiom))
    rules = SpokenDigitsForm.model_validate_json(digit_rules)
    phrases = dict(_digit_phrases(speller, rules))
    hints = (*(speller.spell_number(digit) for digit in range(10)), *rules.also, *rules.times)
    repeat_words = {fold_word(word): count for word, count in rules.times.items()}
    return DigitRecogniser(phrases, repeat_words, max(len(phrase.split()) for phrase in phrases), hints)


def _digit_phrases(speller: NumberSpeller, rules: SpokenDigitsForm) -> Iterator[tuple[str, str]]:
    """Yield (folded phrase, digits) for the number words, their variants and the additional words."""
    for number in range(rules.below):
        phrase = speller.spell_number(number)
        yield fold_word(phrase), str(number)
        for pattern, replacement in rules.vary.items():
            yield fold_word(re.sub(pattern, replacement, phrase)), str(number)
    yield from ((fold_word(word), str(number)) for word, number in rules.also.items())
