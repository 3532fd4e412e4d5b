"""Every voice prompt read by a speech synthesiser (espeak-ng): each is spoken, in its language, as words."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

from gateway.publishing import pack_compiler
from tests.support.installed_programs import find_or_skip
from tests.support.phoneme_translation import translate_to_phonemes

LANGUAGES = ("fr", "ro", "en", "ar")
BATCH = 40
BYTES_PER_SECOND = 2 * 22050
"""Of the synthesiser's sound: 16 bits, 22,050 Hz."""
SECONDS_PER_CHARACTER = (0.03, 0.25)
"""Bounds of the duration: below, words are swallowed; above, they are spelled."""
LANGUAGE_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z]+)?\)")
SOUNDS_LIKE_ITS_LETTERS = frozenset({"nouă", "una"})
STRESS_MARKS = re.compile(r"[\s_',:;|!-]")


@cache
def spoken_lines() -> list[str]:
    """Return the lines `dialtree check --spoken` prints for all packs."""
    packs = [pack_compiler.find_pack(each) for each in pack_compiler.shipped_operators()]
    return sorted({line for pack in packs for line in pack_compiler.spoken_texts(pack)[0]})


@cache
def prompts_of(language: str) -> tuple[str, ...]:
    """Return every prompt of every pack in a language, each once, digits apart."""
    rows = [line.partition(": ")[::2] for line in spoken_lines()]
    return tuple(dict.fromkeys(words for place, words in rows if place.split()[1] == language))


def words_of_prompt(prompt: str) -> set[str]:
    """Return the words of a prompt that are more than a letter or digit."""
    return set(re.findall(r"[^\W\d_]{3,}", prompt))


def prompts_with_new_words(language: str) -> Iterator[str]:
    """Yield the prompts with a word that none before has: to time the others costs more and shows no more."""
    seen: set[str] = set()
    for prompt in prompts_of(language):
        if not (words := words_of_prompt(prompt)) <= seen:
            seen |= words
            yield prompt


def read_aloud(language: str, lines: Sequence[str]) -> bytes:
    """Return the sound of lines of text; each line is a paragraph."""
    done = subprocess.run(
        [find_or_skip("espeak-ng"), "-v", language, "--stdout", "--stdin"],
        input="\n\n".join(lines).encode(),
        capture_output=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def phonemes_of(language: str, texts: Sequence[str]) -> list[str]:
    """Return the phonemes of each text."""
    find_or_skip("espeak-ng")
    return translate_to_phonemes(language, texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_prompt_is_spoken_in_its_own_language(language: str) -> None:
    prompts = prompts_of(language)
    spoken = dict(zip(prompts, phonemes_of(language, prompts), strict=True))
    assert len(prompts) > 100
    assert [prompt for prompt, phonemes in spoken.items() if not phonemes.strip()] == []
    assert [prompt for prompt, phonemes in spoken.items() if LANGUAGE_SWITCH.search(phonemes)] == []


def test_a_word_of_another_language_is_found() -> None:
    (phonemes,) = phonemes_of("fr", ["Le computer."])
    assert LANGUAGE_SWITCH.search(phonemes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_prompts_last_as_long_as_their_words(language: str) -> None:
    least, most = SECONDS_PER_CHARACTER
    prompts = list(prompts_with_new_words(language))
    for batch in (prompts[start : start + BATCH] for start in range(0, len(prompts), BATCH)):
        seconds = len(read_aloud(language, batch)) / BYTES_PER_SECOND
        assert least < seconds / sum(map(len, batch)) < most, batch[0]


def words_of(language: str) -> list[str]:
    """Return the words of all prompts, without those that sound like their letters."""
    found = set[str]().union(*map(words_of_prompt, prompts_of(language)))
    return sorted(found - SOUNDS_LIKE_ITS_LETTERS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_spelled_letter_by_letter(language: str) -> None:
    words = words_of(language)
    spoken = phonemes_of(language, [f"{word}." for word in words])
    spelled = phonemes_of(language, [f"{' '.join(word)}." for word in words])
    pairs = zip(words, spoken, spelled, strict=True)
    assert [word for word, said, letters in pairs if _sounds(said) == _sounds(letters)] == []


def _sounds(phonemes: str) -> str:
    return STRESS_MARKS.sub("", phonemes)


def test_the_comparison_finds_a_word_that_is_spelled() -> None:
    said, letters = phonemes_of("fr", ["SMTP.", "S M T P."])
    assert _sounds(said) == _sounds(letters)
