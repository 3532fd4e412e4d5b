"""Reminder schedule as a table: days around the due date, hours, days of rest, daylight saving."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flows.payments.reminder_schedule import DueReminder, find_due_reminder, next_sending_time
from menus.packfile.reminder_rules import RemindersForm

RULES = RemindersForm.model_validate({"before": [5, 1], "on_due_date": True, "overdue": [3]})
DUE = date(2026, 3, 17)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-6, None),
        (-5, DueReminder("before", 5)),
        (-2, None),
        (-1, DueReminder("before", 1)),
        (0, DueReminder("due", 0)),
        (1, None),
        (3, DueReminder("overdue", 3)),
        (4, None),
    ],
)
def test_a_day_has_the_reminder_of_the_schedule(days: int, expected: DueReminder | None) -> None:
    assert find_due_reminder(RULES, DUE, DUE + timedelta(days=days)) == expected


def test_a_schedule_without_the_due_date_has_none_on_it() -> None:
    assert find_due_reminder(RemindersForm.model_validate({"before": [1]}), DUE, DUE) is None


@pytest.mark.parametrize(
    ("now", "sent"),
    [
        ("2026-03-17 07:59", "2026-03-17 08:00"),
        ("2026-03-17 08:00", "2026-03-17 08:00"),
        ("2026-03-17 19:59", "2026-03-17 19:59"),
        ("2026-03-17 20:00", "2026-03-18 08:00"),
        ("2026-03-21 21:00", "2026-03-23 08:00"),
        ("2026-03-22 12:00", "2026-03-23 08:00"),
        ("2026-03-28 22:30", "2026-03-30 08:00"),
    ],
)
def test_reminders_keep_the_hours_and_the_days_of_rest(now: str, sent: str) -> None:
    local = datetime.fromisoformat(now).replace(tzinfo=PARIS)
    assert next_sending_time(RULES, local) == datetime.fromisoformat(sent).replace(tzinfo=PARIS)
