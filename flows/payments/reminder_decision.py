"""Reminder decision: whether a planned reminder is sent when its time comes; pure functions."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from flows.domain.promise_records import Instalment, PaymentPromise
from flows.domain.records import Bill
from flows.payments.payable import is_settled
from flows.payments.reminder_schedule import ReminderKind


@dataclass(frozen=True, slots=True)
class ReminderCase:
    """A reminder and what billing says of its bill now."""

    kind: ReminderKind
    bill: Bill = field(repr=False)
    promise: PaymentPromise | None
    """The newest promise to pay the bill that billing still has; None for none."""
    today: date
    """In the operator's time zone."""


def reason_to_drop_bill(case: ReminderCase) -> str:
    """Return why the reminder of a bill is not sent: `paid`, `late`, `promised`; else empty.

    A promise in parts has reminders of its own, in place of the bill's; one in a single part has none before
    its day is over.
    """
    if is_settled(case.bill):
        return "paid"
    if case.kind != "overdue" and case.today > case.bill.due:
        return "late"
    promise = case.promise
    is_promised = promise is not None and (promise.parts > 1 or promise.is_open(case.today))
    return "promised" if is_promised else ""


def reason_to_drop_instalment(case: ReminderCase, promise_id: str, number: int, unit: Decimal) -> str:
    """Return why the reminder of an instalment is not sent; else empty. `unit` is the smallest amount.

    ended   the promise is not the bill's any more
    paid    what is paid of the bill covers this part
    late    its day is over, or the next part's has come, whose own reminder names all that is missing
    missed  a part before it is not paid, and reminded of as overdue
    """
    if case.promise is None or case.promise.id != promise_id:
        return "ended"
    parts = case.promise.list_instalments(unit)
    part, remaining = parts[number - 1], case.bill.remaining
    if is_settled(case.bill) or part.amount_left(remaining) <= 0:
        return "paid"
    if _is_over(case, part, parts):
        return "late"
    is_missed = number > 1 and parts[number - 2].amount_left(remaining) > 0
    return "missed" if case.kind == "before" and is_missed else ""


def _is_over(case: ReminderCase, part: Instalment, parts: tuple[Instalment, ...]) -> bool:
    if case.kind != "overdue":
        return case.today > part.due
    return any(part.due < each.due <= case.today for each in parts)
