"""Quiet gate: holds SMS that nobody waits for until the operator's quiet hours are over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from flows.domain.records import OutboundMessage
from flows.engine.menu_versions import MenuVersions
from menus.machine.quiet_hours import quiet_until


@dataclass(frozen=True, slots=True)
class QuietGate:
    """Says until when a message is held. It is asked before each attempt, so retries are held, too."""

    menu_versions: MenuVersions = field(repr=False)
    """The packs, whose rules name the hours; a new revision counts at once."""
    now: Callable[[], datetime] = field(repr=False)

    def hold_until(self, message: OutboundMessage) -> datetime | None:
        """Return when a message may be tried again; None when it may go now.

        Held are campaigns and what is sent unprompted, by SMS. What expires meanwhile is held until then, and
        the outbox closes it as expired.
        """
        if message.route != "sms" or not (message.is_unprompted or message.kind == "campaign"):
            return None
        until = self.quiet_until(message.operator)
        if until is None or message.expires_at is None:
            return until
        return min(until, message.expires_at)

    def quiet_until(self, operator: str) -> datetime | None:
        """Return when the operator's quiet hours end; None when they are not on, or there are none."""
        config = self.menu_versions.current_menu(operator).config
        hours = config.rules.quiet_hours
        return quiet_until(hours, ZoneInfo(config.time_zone), self.now()) if hours else None
