"""Masked numbers: found however they are written, and readable in texts that run from right to left."""

from unicodedata import bidirectional

import pytest

from menus.text.input_parsing import parse_msisdn
from menus.text.masking import redact_text
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


@pytest.mark.parametrize(
    "typed",
    [
        "0740000101",
        "0740 000 101",
        "(0740) 000-101",
        "0740 / 000 / 101",
        "+40 (740) 000 - 101",
        "0740.000.101",
        "0740\u00a0000\u00a0101",
        "0740\u2011000\u2011101",
        "0740\u2009\u2013\u2009000\u2009\u2013\u2009101",
        "\u202a+40 740\u202c 000101",
        "0740\u200b000\u00ad101",
        "\u0660\u0667\u0664\u0660 \u0660\u0660\u0660 \u0661\u0660\u0661",
    ],
)
def test_whatever_is_taken_for_a_number_is_masked_as_one(typed: str) -> None:
    assert parse_msisdn(typed, "40", "0", (9,)) == "+40740000101"
    for text in (typed, f"number: {typed}.", f"{typed} and {typed}"):
        digits = "".join(filter(str.isdigit, redact_text(text)))
        assert len(digits) <= 5 * text.count(typed)
