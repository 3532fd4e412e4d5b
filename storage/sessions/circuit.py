"""Circuit breaker of a shared Redis store that has a fallback in memory."""

import logging
from collections.abc import Callable

from flows.domain.failures import Unavailable

_log = logging.getLogger("dialtree.sessions")


class StoreCircuitBreaker:
    """Closed until `failure_threshold` failures in a row; open with one probe call each cool-down."""

    def __init__(self, now: Callable[[], float], failure_threshold: int, cool_down_seconds: float) -> None:
        self._now = now
        self._failure_threshold = failure_threshold
        self._cool_down_seconds = cool_down_seconds
        self._failure_count = 0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open."""
        return self._failure_count >= self._failure_threshold

    def allow_request(self) -> bool:
        """Return whether a call may go now; when open, only the first one after the cool-down may."""
        if not self.is_open:
            return True
        if self._now() < self._probe_at:
            return False
        self._probe_at = self._now() + self._cool_down_seconds
        return True

    def record_failure(self, failure: Unavailable) -> None:
        """Count a failed call; when it opens the circuit, log `sessions.circuit_opened`: memory serves now."""
        self._failure_count += 1
        self._probe_at = self._now() + self._cool_down_seconds
        if self._failure_count == self._failure_threshold:
            cause = failure.__cause__ or failure
            _log.warning("sessions.circuit_opened", extra={"failure": type(cause).__name__})

    def record_success(self) -> None:
        """Close the circuit; log `sessions.circuit_closed` if it was open."""
        if self.is_open:
            _log.warning("sessions.circuit_closed")
        self._failure_count = 0
