"""Figures on the studio's map: how many conversations of a period reached each screen and ended there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cachetools import TTLCache

from gateway.console.console_request import ConsoleRequest
from storage.console.screen_figures import ScreenFigures

PERIODS: Mapping[str, timedelta] = {
    "week": timedelta(days=7),
    "day": timedelta(days=1),
    "month": timedelta(days=30),
}
"""Periods to choose from, which end now; the first is shown at the beginning."""
FIGURES_SECONDS = 60
"""How long figures are shown before they are counted again."""
REMEMBERED_FIGURES = 64
BAR_STEPS = 10
"""Lengths of the bar that shows a share."""


@dataclass(frozen=True, slots=True)
class ScreenShare:
    """The figures of one screen, with their share of all conversations in percent."""

    reached: int
    reached_percent: str
    ended: int
    ended_percent: str
    bar: int
    """Length of the bar, 0 to `BAR_STEPS`; never 0 for a screen that was reached."""


@dataclass(frozen=True, slots=True)
class MapFigures:
    """Counts figures, at most once a minute for each operator, channel and period."""

    remembered: TTLCache[tuple[str, str, str], ScreenFigures] = field(repr=False)

    @classmethod
    def with_clock(cls, clock: Callable[[], datetime]) -> "MapFigures":
        """Return figures without any counted yet, which age by this clock."""
        return cls(TTLCache(REMEMBERED_FIGURES, FIGURES_SECONDS, timer=lambda: clock().timestamp()))

    async def read_figures(
        self, request: ConsoleRequest, operator: str, channel: str, period: str
    ) -> ScreenFigures:
        """Return the figures of a period that ends now, or up to a minute ago."""
        key = (operator, channel, period)
        found = self.remembered.get(key)
        if found is None:
            since = request.now - PERIODS[period]
            found = await request.site.screen_figures.count_screens(operator, channel, since)
            self.remembered[key] = found
        return found


def screen_share(figures: ScreenFigures, screen: str) -> ScreenShare:
    """Return what the map shows at a screen; `figures` are of one conversation or more."""
    reached, ended = figures.reached.get(screen, 0), figures.ended.get(screen, 0)
    bar = -(-BAR_STEPS * reached // figures.conversations)
    return ScreenShare(reached, _percent(reached, figures), ended, _percent(ended, figures), bar)


def _percent(count: int, figures: ScreenFigures) -> str:
    return f"{100 * count / figures.conversations:.1f}"
