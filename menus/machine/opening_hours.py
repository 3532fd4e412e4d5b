"""Opening hours of the agents: calls outside them hear a notice instead of being transferred."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from menus.machine.menu import Menu
from menus.model.session import Session
from menus.packfile.hours_form import HoursForm

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AGENT_AWAY = "house.agent_away"
"""The node a call is led to outside the agents' hours."""


def is_open_at(hours: HoursForm, local_time: datetime) -> bool:
    """Return whether a local time lies within the hours; both ranges may wrap: sat-mon, 22:00 to 06:00."""
    first, _, last = hours.days.partition("-")
    days = (WEEKDAYS.index(last or first) - WEEKDAYS.index(first)) % 7
    at = f"{local_time:%H:%M}"
    after_midnight = hours.end <= hours.start and at < hours.end  # belongs to the day before
    today = (local_time.weekday() - after_midnight - WEEKDAYS.index(first)) % 7
    inside = at >= hours.start or at < hours.end if hours.end <= hours.start else hours.start <= at < hours.end
    return inside and today <= days


def close_out_of_hours(menu: Menu, session: Session, now: Callable[[], datetime]) -> None:
    """Redirect a call that is about to be transferred to an agent outside the hours. `now`: UTC."""
    if menu.nodes[session.state].via != "agent":
        return
    hours = menu.config.voice.agent_hours
    if hours and not is_open_at(hours, now().astimezone(ZoneInfo(menu.config.time_zone))):
        session.state = AGENT_AWAY
