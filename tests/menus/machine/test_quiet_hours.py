"""Quiet hours: when they end, over midnight, rest days, and the nights on which clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from menus.machine.quiet_hours import quiet_until
from menus.packfile.hours_form import QuietHoursForm

PARIS = ZoneInfo("Europe/Paris")
NIGHT = QuietHoursForm.model_validate({"from": "21:00", "to": "08:30", "rest_days": ["sun"]})
NOON = QuietHoursForm.model_validate({"from": "12:00", "to": "14:00", "rest_days": ["sat", "sun"]})


def local(text: str) -> datetime:
    """Return a time of Paris as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, "2026-03-10T20:59", None),
        (NIGHT, "2026-03-10T21:00", "2026-03-11T08:30"),
        (NIGHT, "2026-03-11T00:00", "2026-03-11T08:30"),
        (NIGHT, "2026-03-11T08:29", "2026-03-11T08:30"),
        (NIGHT, "2026-03-11T08:30", None),
        (NIGHT, "2026-03-14T21:00", "2026-03-16T08:30"),
        (NIGHT, "2026-03-15T12:00", "2026-03-16T08:30"),
        (NOON, "2026-03-10T13:00", "2026-03-10T14:00"),
        (NOON, "2026-03-13T23:00", None),
        (NOON, "2026-03-14T00:00", "2026-03-16T00:00"),
        (NIGHT, "2026-03-28T22:00", "2026-03-30T08:30"),
        (NIGHT, "2026-10-26T02:00", "2026-10-26T08:30"),
    ],
    ids=str,
)
def test_quiet_hours_end_by_the_clock_on_the_wall(hours: QuietHoursForm, now: str, until: str | None) -> None:
    assert quiet_until(hours, PARIS, local(now)) == (local(until) if until else None)


def test_the_hour_that_comes_twice_is_as_long_as_it_is() -> None:
    hours = QuietHoursForm.model_validate({"from": "22:00", "to": "06:00"})
    before = datetime(2026, 10, 24, 21, tzinfo=UTC)
    assert quiet_until(hours, PARIS, before) == datetime(2026, 10, 25, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        {"from": "08:00", "to": "08:00"},
        {"from": "21:00", "to": "24:00"},
        {"from": "9pm", "to": "08:00"},
        {"from": "21:00", "to": "08:00", "rest_days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
    ],
    ids=str,
)
def test_hours_that_cannot_be_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QuietHoursForm.model_validate(raw)
