"""The circuit in front of a store that others can stand in for: left alone for a while when it fails."""

import logging
from collections.abc import Callable

from flows.domain.failures import Unavailable

_log = logging.getLogger("dialtree.sessions")


class Circuit:
    """Closed, or broken with one try each cool-down."""

    def __init__(self, now: Callable[[], float], failures: int, cool_down_seconds: float) -> None:
        self._now = now
        self._most = failures
        self._cool_down = cool_down_seconds
        self._failures = 0
        self._try_at = 0.0

    @property
    def broken(self) -> bool:
        """Did it fail too often in a row?"""
        return self._failures >= self._most

    def closed(self) -> bool:
        """May the primary be asked? Of those who ask a broken one, the first after the cool-down may."""
        if not self.broken:
            return True
        if self._now() < self._try_at:
            return False
        self._try_at = self._now() + self._cool_down
        return True

    def failed(self, failure: Unavailable) -> None:
        """It did not answer, once more."""
        self._failures += 1
        self._try_at = self._now() + self._cool_down
        if self._failures == self._most:
            _log.warning("sessions.degraded: serving from memory (%s)", failure)

    def worked(self) -> None:
        """It answered."""
        if self.broken:
            _log.warning("sessions.restored: the shared store answers again")
        self._failures = 0
