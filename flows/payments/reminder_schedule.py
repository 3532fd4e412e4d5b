"""Reminder schedule: on which day an unpaid bill is reminded of, and at which hours; pure functions."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from menus.packfile.reminder_rules import RemindersForm

ReminderKind = Literal["before", "due", "overdue"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class DueReminder:
    """A reminder that the schedule has for a day."""

    kind: ReminderKind
    days: int
    """Days between the due date and the reminder."""


def find_due_reminder(rules: RemindersForm, due: date, today: date) -> DueReminder | None:
    """Return the reminder of a bill for a day; None when the schedule has none."""
    days = (today - due).days
    if days == 0:
        return DueReminder("due", 0) if rules.on_due_date else None
    if days < 0:
        return DueReminder("before", -days) if -days in rules.before else None
    return DueReminder("overdue", days) if days in rules.overdue else None


def next_sending_time(rules: RemindersForm, local_now: datetime) -> datetime:
    """Return when a reminder may be sent: now, or the first hour allowed afterwards (local time)."""
    opens = datetime.combine(local_now.date(), time(rules.from_hour), local_now.tzinfo)
    if local_now.hour >= rules.until_hour:
        opens += timedelta(days=1)
    while WEEKDAYS[opens.weekday()] in rules.rest_days:
        opens += timedelta(days=1)
    return max(opens, local_now)
