"""Checks of texts from outside take time in proportion to the text, whatever it holds."""

import unicodedata
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menus.text.gsm import prepare_text
from menus.text.input_parsing import (
    fold_word,
    is_card_like,
    parse_date,
    parse_digits,
    parse_email,
    parse_key,
    parse_month,
    parse_msisdn,
)
from menus.text.language_data import load_language
from menus.text.masking import redact_text
from menus.text.number_words import NumberSpeller
from menus.text.spoken_digits import build_digit_recogniser
from tests.support.instruction_count import count_instructions

ENGLISH = load_language("en")
CHECKS: dict[str, Callable[[str], object]] = {
    "a card": is_card_like,
    "a word": fold_word,
    "a key": parse_key,
    "digits": lambda text: parse_digits(text, 1, 20),
    "an address": parse_email,
    "a number": lambda text: parse_msisdn(text, "40", "0", (9,)),
    "a date": parse_date,
    "a month": lambda text: parse_month(text, date(2026, 3, 10)),
    "a log field": redact_text,
    "an SMS": prepare_text,
    "speech": build_digit_recogniser(NumberSpeller("en", ENGLISH.numbers), ENGLISH.digits).recognise_digits,
}
LENGTH = 256
INSTRUCTIONS_PER_CHARACTER = 400
"""More than any letter takes: one that stands for a sentence is compared as its eighteen letters."""
FIXED_INSTRUCTIONS = 3000
"""What a check takes for an empty text, compiling its patterns included."""
# What makes a naive check slow: groups of digits, near-cards, runs of marks and spaces, endless addresses.
PIECES = st.sampled_from(
    (
        *("1 ", "12-", "4111111111111111", "0", "4 - ", "a", "a.", "@", "a@", ".", "+", "*", "#", " ", "\n"),
        *("\u0301", "\u0316", "\u00a0", "\ufdfa", "\u0661 ", "é", "one ", "double ", "😀"),
    )
)
ADVERSARIAL = st.lists(PIECES, min_size=1, max_size=4).map(lambda pieces: "".join(pieces * LENGTH)[:LENGTH])


@pytest.mark.parametrize("name", CHECKS)
@given(text=ADVERSARIAL)
def test_a_check_takes_time_in_proportion_to_the_text(name: str, text: str) -> None:
    check = CHECKS[name]
    check(text)
    instructions = count_instructions(lambda: check(text))
    assert instructions <= FIXED_INSTRUCTIONS + INSTRUCTIONS_PER_CHARACTER * len(text)


@given(text=ADVERSARIAL)
def test_twice_the_digits_take_twice_the_time(text: str) -> None:
    once, twice = (count_instructions(partial(is_card_like, each)) for each in (text, text * 2))
    assert twice <= 2.5 * once + 500


@given(st.text(alphabet="0123456789 -x", max_size=40))
def test_cards_are_found_as_by_trying_every_part(text: str) -> None:
    assert is_card_like(text) is _has_card_in_any_part(text)


def _has_card_in_any_part(text: str) -> bool:
    """Try every part of the text that begins and ends where a group of digits does."""
    parts = [
        text[start:end]
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if _is_whole(text, start, end)
    ]
    return any(_is_card(part.replace(" ", "").replace("-", "")) for part in parts)


def _is_whole(text: str, start: int, end: int) -> bool:
    outside = text[start - 1 : start] + text[end : end + 1]
    return "x" not in text[start:end] and not any(map(str.isdigit, outside))


def _is_card(digits: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(value // 10 + value % 10 for value in doubled) % 10 == 0


@given(st.text(alphabet="ab@.<> 1", max_size=30))
def test_addresses_in_a_log_are_masked_whole(text: str) -> None:
    words = redact_text(text).replace("<", " ").replace(">", " ").split(" ")
    assert not any("@" in word.strip("@") and "***@" not in word for word in words if "@@" not in word)


def test_marks_are_removed_before_they_are_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def normalize(form: Any, text: str) -> str:
        seen.append(text)
        return original(form, text)

    original = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", normalize)
    assert fold_word("fa" + "\u0301\u0316" * 500 + "ct") == "fact"
    assert not any(unicodedata.combining(letter) for text in seen for letter in text)
