"""Host clock check: how far this machine's clock is from the database's, as a warning and a metric."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.clock import MonotonicClock

log = logging.getLogger("dialtree.server")
TOLERANCE_SECONDS = 2.0
"""A difference above it, by more than the error of the reading, is a fault of one of the two machines; hosts
that synchronise by NTP differ by milliseconds."""


def describe_difference(clock: object) -> str:
    """Return how the host's clock differs, e.g. `3 days, 0:00:00 ahead`; empty within the tolerance.

    Empty also for any other clock than one that the database sets, such as a test's.
    """
    if not isinstance(clock, MonotonicClock):
        return ""
    difference = clock.host_difference
    if abs(difference.total_seconds()) - clock.error_seconds <= TOLERANCE_SECONDS:
        return ""
    whole = timedelta(seconds=round(abs(difference.total_seconds())))
    return f"{whole} {'ahead' if difference > timedelta() else 'behind'}"


@dataclass(slots=True)
class HostClockAlarm:
    """Warns when the host's clock begins to differ from the database's, and says when it agrees again."""

    clock: MonotonicClock = field(repr=False)
    is_raised: bool = False

    def review_difference(self) -> None:
        """Log a change of state: one line when the clocks begin to differ, one when they agree."""
        difference = describe_difference(self.clock)
        if difference and not self.is_raised:
            log.warning("server.host_clock_differs", extra={"difference": difference})
        if self.is_raised and not difference:
            log.info("server.host_clock_agrees")
        self.is_raised = bool(difference)


@dataclass(eq=False, slots=True)
class HostClockCollector(Collector):
    """Exports the difference between the host's clock and the database's."""

    clock: MonotonicClock

    def collect(self) -> Iterator[Metric]:
        """Yield the seconds by which the host's clock is ahead of the database's."""
        yield GaugeMetricFamily(
            "dialtree_host_clock_difference_seconds",
            "Seconds by which the clock of this host is ahead of the database's; negative when it is behind",
            self.clock.host_difference.total_seconds(),
        )
