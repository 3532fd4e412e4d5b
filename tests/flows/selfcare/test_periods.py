"""Billing months: parsed as typed, available as long as the rules say, next bill date."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.domain.actions import ActionRequest
from flows.domain.records import Bill, BillState
from flows.selfcare.invoice import add_months
from flows.selfcare.periods import next_bill_date, show_month_bill
from menus.model.facts import Month, TextRef
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


@dataclass(slots=True)
class ManyDocuments:
    """Billing whose bills have a credit note of the same month beside each, newest first."""

    bills: list[Bill]
    pages_read: int = 0

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> list[Bill]:
        self.pages_read += 1
        return self.bills[offset : offset + limit]


def document(issued: date, state: BillState) -> Bill:
    return Bill("b", "N", "a1", issued, issued, Decimal(9), Decimal(1), Decimal(0), state)


def request_for(month: str, billing: ManyDocuments) -> ActionRequest:
    """Return a request about a month, as far as `show_month_bill` looks at it."""
    rules = SimpleNamespace(document_months=24, publish_delay_days=0)
    request = SimpleNamespace(
        input_text=month,
        today=TODAY,
        line="+33600000101",
        menu=SimpleNamespace(config=SimpleNamespace(rules=rules)),
        ports=SimpleNamespace(billing=billing),
        require_subscriber=lambda: SimpleNamespace(account="a1", account_number="1234"),
    )
    return cast(ActionRequest, request)


@pytest.fixture
def billing() -> ManyDocuments:
    documents: tuple[tuple[int, BillState], ...] = ((9, "credit"), (5, "cancelled"), (1, "due"))
    months = [add_months(date(2026, 3, 1), -back) for back in range(24)]
    return ManyDocuments(
        [document(month.replace(day=day), state) for month in months for day, state in documents]
    )


@pytest.mark.parametrize("month", ["0326", "0226", "1225", "0925", "0524"])
async def test_the_bill_of_a_month_is_found_among_other_documents(month: str, billing: ManyDocuments) -> None:
    outcome = await show_month_bill(request_for(month, billing))
    assert (outcome.name, outcome.facts.get("state")) == ("ok", TextRef("state.due"))


@pytest.mark.parametrize("month", ["129997", "019999", "0427", "0327"])
async def test_a_month_to_come_has_no_bill_and_reads_one_page(month: str, billing: ManyDocuments) -> None:
    assert (await show_month_bill(request_for(month, billing))).name == "none"
    assert billing.pages_read == 1


@pytest.mark.parametrize("month", ["0224", "1223", "010001"])
async def test_a_month_past_retention_is_not_asked_of_billing(month: str, billing: ManyDocuments) -> None:
    outcome = await show_month_bill(request_for(month, billing))
    assert (outcome.name, billing.pages_read) == ("old", 0)
