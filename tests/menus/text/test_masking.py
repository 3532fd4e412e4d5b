"""Masked numbers and addresses in texts that run from right to left."""

from unicodedata import bidirectional

import pytest

from tests.menus.text.test_formats import WRITTEN

DIGITS_WAIT = frozenset({"EN", "ES", "ET", "CS", "ON", "WS"})
"""Classes of letters that an Arabic text displays by what surrounds them (Unicode Bidirectional Algorithm)."""


@pytest.mark.parametrize(
    "shown",
    [
        WRITTEN["ar"].format_number("+21698123456"),
        WRITTEN["ar"].format_number("+33600000102"),
        WRITTEN["ar"].format_email("1ana@example.tn"),
        WRITTEN["ar"].format_email("ana@example.tn"),
    ],
)
def test_nothing_masked_is_parted_where_text_runs_from_right_to_left(shown: str) -> None:
    first, *_, last = (bidirectional(letter) for letter in shown)
    neutral = [bidirectional(letter) in DIGITS_WAIT - {"EN"} for letter in shown]
    begins = shown[: neutral.index(True)] if True in neutral else shown
    assert {first, last} <= {"L", "EN"}
    assert any(bidirectional(letter) == "L" for letter in begins)
