"""Opening hours: whether somebody is there to take a call."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from menus.machine.menu import Menu
from menus.model.session import Session
from menus.packfile.schema import HoursForm

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AWAY = "house.agent_away"


def attended(hours: HoursForm, local: datetime) -> bool:
    """Is it between the hours, on one of the days? Both may run over an end: sat-mon, 22:00 to 06:00."""
    first, _, last = hours.days.partition("-")
    days = (WEEK.index(last or first) - WEEK.index(first)) % 7
    at = f"{local:%H:%M}"
    late = hours.end <= hours.start and at < hours.end  # after midnight it is still the day before
    today = (local.weekday() - late - WEEK.index(first)) % 7
    inside = at >= hours.start or at < hours.end if hours.end <= hours.start else hours.start <= at < hours.end
    return inside and today <= days


def attend(menu: Menu, session: Session, now: Callable[[], datetime]) -> None:
    """A call on its way to a person when none is there hears so instead. `now`: the instant, UTC."""
    if session.channel != "voice" or menu.nodes[session.state].via != "agent":
        return
    hours = menu.form.voice.agent_hours
    if hours and not attended(hours, now().astimezone(ZoneInfo(menu.form.time_zone))):
        session.state = AWAY
