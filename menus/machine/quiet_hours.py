"""Quiet hours: until when messages that nobody waits for are held, in the operator's time zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from menus.machine.opening_hours import WEEKDAYS
from menus.packfile.hours_form import QuietHoursForm

MAX_BOUNDARIES = 16
"""Ends and midnights looked at: a week has two of each day, and one day of it at least is no rest day."""


def quiet_until(hours: QuietHoursForm, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return the instant (UTC) at which quiet hours that are on now end; None when they are not on."""
    local = now.astimezone(zone)
    if not _is_quiet(hours, local):
        return None
    for _ in range(MAX_BOUNDARIES):
        local = _next_boundary(hours, local)
        if not _is_quiet(hours, local):
            break
    return local.astimezone(UTC)


def _is_quiet(hours: QuietHoursForm, local: datetime) -> bool:
    at = f"{local:%H:%M}"
    over_midnight = hours.end < hours.start
    inside = at >= hours.start or at < hours.end if over_midnight else hours.start <= at < hours.end
    return inside or WEEKDAYS[local.weekday()] in hours.rest_days


def _next_boundary(hours: QuietHoursForm, local: datetime) -> datetime:
    """Return the next end of the hours or midnight, by the clock on the wall: whatever comes first."""
    tomorrow = local.date() + timedelta(days=1)
    days = (local.date(), tomorrow)
    times = [datetime.combine(day, time.fromisoformat(hours.end), local.tzinfo) for day in days]
    midnight = datetime.combine(tomorrow, time(), local.tzinfo)
    return min(each for each in (*times, midnight) if each.replace(tzinfo=None) > local.replace(tzinfo=None))
