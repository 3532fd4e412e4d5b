"""Billing months: parsed as typed, available as long as the rules say, next bill date."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.selfcare.invoice import add_months
from flows.selfcare.periods import next_bill_date
from menus.model.facts import Month
from menus.text.input_parsing import parse_month, possible_month

DAYS = st.dates(date(2001, 1, 1), date(2098, 12, 31))
TODAY = date(2026, 3, 10)


@given(DAYS, st.sampled_from(["{:02}{:02}", "{:02}/{:02}", "{}/{:02}", "{:02}-{:02}", "{}.{:02}"]))
def test_a_month_typed_any_way_is_the_month(day: date, form: str) -> None:
    typed = form.format(day.month, day.year % 100)
    assert possible_month(typed) == typed
    assert parse_month(typed, day) == Month.from_date(day)


@given(DAYS)
def test_four_digits_of_a_year_need_no_today(day: date) -> None:
    assert parse_month(f"{day.month:02}{day.year}", date(2026, 1, 1)) == Month.from_date(day)


@given(st.text(max_size=12))
def test_what_may_be_a_month_is_one(typed: str) -> None:
    like = possible_month(typed)
    assert like is None or parse_month(like, TODAY) is not None


@pytest.mark.parametrize("typed", ["1326", "0026", "3", "03", "326", "03/", "/26", "mars 26", "03/2/26", ""])
def test_what_is_no_month_is_none(typed: str) -> None:
    assert possible_month(typed) is None


def test_digits_of_any_script_and_spaces_are_forgiven() -> None:
    assert possible_month(" ٠٣ / ٢٦ ") == "03/26"


@given(DAYS, st.integers(0, 36))
def test_so_many_months_later_is_that_month(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + timedelta(days=1)).day == 1


@given(DAYS, st.lists(st.integers(1, 31), min_size=1, max_size=3))
def test_the_next_bill_comes_within_a_month_on_its_day(today: date, days: list[int]) -> None:
    newest = today.replace(day=1)
    made = next_bill_date(today, newest, max(days))
    assert today < made <= today + timedelta(days=61)
    assert made.day == max(days) or (made + timedelta(days=1)).day == 1


@pytest.mark.parametrize(
    ("today", "newest", "anchor", "made"),
    [
        (date(2026, 3, 10), date(2026, 3, 1), 1, date(2026, 4, 1)),
        (date(2026, 2, 28), date(2026, 2, 28), 31, date(2026, 3, 31)),
        (date(2026, 12, 15), date(2026, 12, 15), 15, date(2027, 1, 15)),
        (date(2026, 3, 10), date(2025, 12, 5), 5, date(2026, 4, 5)),
    ],
)
def test_the_day_of_the_month_stays(today: date, newest: date, anchor: int, made: date) -> None:
    assert next_bill_date(today, newest, anchor) == made
