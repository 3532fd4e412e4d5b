"""Signs of amounts, compounds of number words, feminine numbers, and long domains."""

from decimal import Decimal

import pytest

from menus.text import masking
from tests.menus.text.test_formats import SPOKEN, WRITTEN


@pytest.mark.parametrize(("language", "written"), [("ro", "-12,50"), ("fr", "-12,500"), ("ar", "12,500-")])
def test_a_bare_amount_has_its_sign_on_the_side_of_the_full_one(language: str, written: str) -> None:
    formatter, amount = WRITTEN[language], Decimal("-12.50")
    assert formatter.format_bare_amount(amount) == written
    assert written in formatter.format_money(amount)


@pytest.mark.parametrize("language", sorted(WRITTEN))
def test_an_amount_that_rounds_to_nothing_has_no_sign(language: str) -> None:
    for amount in (Decimal("-0.00"), Decimal("-0.0001")):
        assert "-" not in WRITTEN[language].format_bare_amount(amount) + WRITTEN[language].format_money(amount)


MILLIONS = {
    "1000000": "un milion de lei",
    "2000000": "două milioane de lei",
    "19000000": "nouăsprezece milioane de lei",
    "20000000": "douăzeci de milioane de lei",
    "45000000": "patruzeci și cinci de milioane de lei",
    "101000000": "o sută unu milioane de lei",
    "300000000": "trei sute de milioane de lei",
}


@pytest.mark.parametrize("amount", MILLIONS)
def test_romanian_puts_de_before_millions_from_twenty_on(amount: str) -> None:
    assert SPOKEN["ro"].format_money(Decimal(amount)) == MILLIONS[amount]


BEHIND_HUNDREDS = {
    "301": "ثلاثمائة دينار ودينار",
    "502": "خمسمائة دينار وديناران",
    "1001": "ألف دينار ودينار",
    "0.201": "مئتا مليم ومليم",
    "1": "دينار واحد",
    "2": "ديناران",
}


@pytest.mark.parametrize("amount", BEHIND_HUNDREDS)
def test_arabic_says_one_and_two_behind_hundreds_by_the_noun(amount: str) -> None:
    assert SPOKEN["ar"].format_money(Decimal(amount)) == BEHIND_HUNDREDS[amount]


@pytest.mark.parametrize(("count", "spoken"), [(1, "une"), (21, "vingt et une"), (2, "deux"), (0, "zéro")])
def test_french_numbers_agree_with_a_feminine_noun(count: int, spoken: str) -> None:
    assert SPOKEN["fr"].format_feminine(count) == spoken


def test_a_long_domain_shows_its_end() -> None:
    shown = masking.mask_email(f"ana@{'department-of-letters.' * 9}university.example")
    assert shown == "a***@...rs.university.example"
    assert masking.mask_email("ana@mail.example.net") == "a***@mail.example.net"
