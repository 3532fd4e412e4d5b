"""Reminders of bills and instalments as tables: what is left to say of them on the day they are sent."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flows.domain.promise_records import PaymentPromise, split_amount
from flows.domain.records import Bill, BillState
from flows.payments.reminder_decision import ReminderCase, reason_to_drop_bill, reason_to_drop_instalment
from flows.payments.reminder_schedule import ReminderKind

CENT = Decimal("0.01")
ISSUED, DUE, WHOLE = date(2026, 4, 1), date(2026, 4, 15), Decimal(100)
BILL = Bill("b1", "F1", "a1", ISSUED, DUE, WHOLE, Decimal(0), WHOLE, "due")
PLAN = PaymentPromise(
    id="p1",
    operator="orange-ro",
    subscription="s",
    account="a1",
    bill_id="b1",
    amount=Decimal(100),
    parts=3,
    first_day=date(2026, 4, 20),
    last_day=date(2026, 5, 20),
    promised_at=datetime(2026, 4, 5, tzinfo=UTC),
)
"""33.33 by 20 April, 33.33 by 5 May, 33.34 by 20 May."""


def case(
    kind: ReminderKind, today: str, remaining: str = "100", promise: PaymentPromise | None = PLAN
) -> ReminderCase:
    return ReminderCase(kind, replace(BILL, remaining=Decimal(remaining)), promise, date.fromisoformat(today))


def test_parts_are_equally_far_apart_and_add_up() -> None:
    parts = PLAN.list_instalments(CENT)
    assert [each.due.isoformat() for each in parts] == ["2026-04-20", "2026-05-05", "2026-05-20"]
    assert [str(each.amount) for each in parts] == ["33.33", "33.33", "33.34"]
    assert [str(each.later) for each in parts] == ["66.67", "33.34", "0"]


def test_one_part_is_the_whole_amount() -> None:
    day = date(2026, 4, 20)
    (only,) = split_amount(Decimal("45.230"), 1, day, day, Decimal("0.001"))
    assert (only.number, only.due, only.amount, only.later) == (1, day, Decimal("45.230"), Decimal(0))


@pytest.mark.parametrize(
    ("kind", "today", "remaining", "part", "reason"),
    [
        ("before", "2026-04-15", "100", 1, ""),
        ("due", "2026-04-20", "100", 1, ""),
        ("overdue", "2026-04-23", "100", 1, ""),
        ("before", "2026-04-21", "100", 1, "late"),
        ("due", "2026-04-21", "100", 1, "late"),
        ("overdue", "2026-05-05", "100", 1, "late"),
        ("due", "2026-04-20", "66.67", 1, "paid"),
        ("due", "2026-04-20", "66.68", 1, ""),
        ("before", "2026-04-30", "66.67", 2, ""),
        ("before", "2026-04-30", "66.68", 2, "missed"),
        ("due", "2026-05-05", "100", 2, ""),
        ("before", "2026-05-15", "33.34", 2, "paid"),
        ("overdue", "2026-06-20", "0.01", 3, ""),
        ("overdue", "2026-05-23", "0", 3, "paid"),
    ],
)
def test_an_instalment_is_reminded_of_while_its_own_time_lasts_and_it_is_not_paid(
    kind: ReminderKind, today: str, remaining: str, part: int, reason: str
) -> None:
    assert reason_to_drop_instalment(case(kind, today, remaining), "p1", part, CENT) == reason


@pytest.mark.parametrize("promise", [None, replace(PLAN, id="p2")], ids=["ended", "another"])
def test_an_instalment_of_a_promise_that_is_not_the_bills_any_more_is_not_reminded_of(
    promise: PaymentPromise | None,
) -> None:
    assert reason_to_drop_instalment(case("due", "2026-04-20", promise=promise), "p1", 1, CENT) == "ended"


@pytest.mark.parametrize("state", ["cancelled", "credit"])
def test_an_instalment_of_a_cancelled_bill_is_not_reminded_of(state: BillState) -> None:
    asked = case("due", "2026-04-20")
    changed = replace(asked, bill=replace(asked.bill, state=state))
    assert reason_to_drop_instalment(changed, "p1", 1, CENT) == "paid"


def test_a_part_names_what_was_missed_before_it() -> None:
    first, second, third = PLAN.list_instalments(CENT)
    assert first.amount_left(Decimal(100)) == Decimal("33.33")
    assert second.amount_left(Decimal(100)) == Decimal("66.66")
    assert third.amount_left(Decimal(100)) == Decimal(100)


@pytest.mark.parametrize(
    ("kind", "today", "promise", "reason"),
    [
        ("before", "2026-04-14", None, ""),
        ("due", "2026-04-16", None, "late"),
        ("overdue", "2026-04-18", None, ""),
        ("overdue", "2026-04-18", replace(PLAN, parts=1, last_day=date(2026, 4, 18)), "promised"),
        ("overdue", "2026-04-18", replace(PLAN, parts=1, last_day=date(2026, 4, 17)), ""),
        ("overdue", "2026-06-18", PLAN, "promised"),
    ],
)
def test_a_bill_is_reminded_of_unless_it_is_promised(
    kind: ReminderKind, today: str, promise: PaymentPromise | None, reason: str
) -> None:
    assert reason_to_drop_bill(case(kind, today, promise=promise)) == reason
