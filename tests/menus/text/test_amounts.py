"""Amounts as people type them: digits of any script, point or comma, maybe a currency behind."""

from decimal import Decimal

import pytest

from menus.text.input_parsing import parse_amount


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("30", "30"),
        ("30,50", "30.5"),
        ("30.05", "30.05"),
        (" 30 € ", "30"),
        ("30€", "30"),
        ("30 lei", "30"),
        ("30#", "30"),
        ("٣٠٫٥", "30.5"),
        ("0", "0"),
    ],
)
def test_what_is_an_amount(typed: str, amount: str) -> None:
    assert parse_amount(typed, 2) == Decimal(amount)


@pytest.mark.parametrize(
    "typed", ["", "abc", "-5", "1 000", "1.234", "30,505", "30,", "1e3", "12345678", "30 €€", "²"]
)
def test_what_is_none(typed: str) -> None:
    assert parse_amount(typed, 2) is None


def test_three_decimals_where_the_currency_has_them() -> None:
    assert parse_amount("45,230", 3) == Decimal("45.230")
