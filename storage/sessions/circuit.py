"""Circuit breaker of a shared Redis store that has a fallback in memory."""

import logging
from collections.abc import Callable

from flows.domain.failures import Unavailable

_log = logging.getLogger("dialtree.sessions")


class Circuit:
    """Closed until `failure_threshold` failures in a row; open with one probe call each cool-down."""

    def __init__(self, now: Callable[[], float], failures: int, cool_down_seconds: float) -> None:
        self._now = now
        self._most = failures
        self._cool_down = cool_down_seconds
        self._failures = 0
        self._try_at = 0.0

    @property
    def broken(self) -> bool:
        """Whether the circuit is open."""
        return self._failures >= self._most

    def closed(self) -> bool:
        """Return whether a call may go now; when open, only the first one after the cool-down may."""
        if not self.broken:
            return True
        if self._now() < self._try_at:
            return False
        self._try_at = self._now() + self._cool_down
        return True

    def failed(self, failure: Unavailable) -> None:
        """Count a failed call; when it opens the circuit, log `sessions.circuit_opened`: memory serves now."""
        self._failures += 1
        self._try_at = self._now() + self._cool_down
        if self._failures == self._most:
            cause = failure.__cause__ or failure
            _log.warning("sessions.circuit_opened", extra={"failure": type(cause).__name__})

    def worked(self) -> None:
        """Close the circuit; log `sessions.circuit_closed` if it was open."""
        if self.broken:
            _log.warning("sessions.circuit_closed")
        self._failures = 0
