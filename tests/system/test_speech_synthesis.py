"""Every voice prompt read by a speech synthesiser (espeak-ng): each is spoken, in its language, as words."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

from gateway.publishing import pack_compiler
from tests.support.server_processes import ProgramMissing, find_program, skip_missing

LANGUAGES = ("fr", "ro", "en", "ar")
BATCH = 40
TIMED_SHARE = 3
"""One prompt in so many is timed: to read all aloud takes most of this file's time and shows no more."""
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


def read_aloud(language: str, lines: Sequence[str], *options: str) -> bytes:
    """Return what the synthesiser prints for lines of text; each line is a paragraph."""
    try:
        program = find_program("espeak-ng")
    except ProgramMissing as missing:
        skip_missing(missing)
    done = subprocess.run(
        [program, "-v", language, *options, "--stdin"],
        input="\n\n".join(lines).encode(),
        capture_output=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def phonemes_of(language: str, lines: Sequence[str]) -> str:
    return read_aloud(language, lines, "-q", "-x").decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_prompt_is_spoken_in_its_own_language(language: str) -> None:
    prompts = prompts_of(language)
    phonemes = phonemes_of(language, prompts)
    assert len(prompts) > 100
    assert len(phonemes.split()) > len(prompts)
    assert LANGUAGE_SWITCH.findall(phonemes) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_prompts_last_as_long_as_their_words(language: str) -> None:
    least, most = SECONDS_PER_CHARACTER
    prompts = prompts_of(language)[::TIMED_SHARE]
    for batch in (prompts[start : start + BATCH] for start in range(0, len(prompts), BATCH)):
        seconds = len(read_aloud(language, batch, "--stdout")) / BYTES_PER_SECOND
        assert least < seconds / sum(map(len, batch)) < most, batch[0]


def words_of(language: str) -> Iterator[str]:
    """Yield the words of the prompts that are more than a letter or digit."""
    found = {word for prompt in prompts_of(language) for word in re.findall(r"[^\W\d_]{3,}", prompt)}
    return iter(sorted(found - SOUNDS_LIKE_ITS_LETTERS))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_spelled_letter_by_letter(language: str) -> None:
    words = list(words_of(language))
    spoken = phonemes_of(language, [f"{word}." for word in words]).splitlines()
    spelled = phonemes_of(language, [f"{' '.join(word)}." for word in words]).splitlines()
    pairs = zip(words, filter(None, spoken), filter(None, spelled), strict=True)
    assert [word for word, said, letters in pairs if _sounds(said) == _sounds(letters)] == []


def _sounds(phonemes: str) -> str:
    return STRESS_MARKS.sub("", phonemes)


def test_the_comparison_finds_a_word_that_is_spelled() -> None:
    said, letters = (phonemes_of("fr", [text]) for text in ("SMTP.", "S M T P."))
    assert _sounds(said) == _sounds(letters)
