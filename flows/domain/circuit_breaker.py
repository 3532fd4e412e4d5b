"""Circuit breaker of an SMS or e-mail provider; while half open it lets one message at a time through."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

log = logging.getLogger("dialtree.delivery")
FAILURE_THRESHOLD = 5
"""Consecutive transport failures that open the circuit."""
INITIAL_WAIT = timedelta(seconds=5)
MAX_WAIT = timedelta(seconds=60)
MAX_RETRY_AFTER = timedelta(hours=1)
"""Longest pause a provider's `Retry-After` can ask for."""


@dataclass(slots=True)
class CircuitBreaker:
    """Circuit breaker: closed, open until `probe_at`, or half open during a probe.

    A failed probe doubles the wait, up to `MAX_WAIT`.
    """

    name: str
    """`operator/route/provider`, for log events."""
    now: Callable[[], datetime]
    failure_count: int = 0
    probe_wait: timedelta = INITIAL_WAIT
    probe_at: datetime | None = None
    """Time of the next probe while the circuit is open; None while it is closed."""
    is_probing: bool = False

    def allow_request(self) -> bool:
        """Return whether a message may be sent now; while open, the first call after the wait is the probe."""
        if self.probe_at is None:
            return True
        if self.now() < self.probe_at:
            return False
        self.probe_at, self.is_probing = self.now() + self.probe_wait, True
        return True

    def record_success(self) -> None:
        """Record that the provider works, whatever it answered about the message; closes the circuit."""
        if self.probe_at is not None:
            log.warning("provider.circuit_closed", extra={"provider": self.name})
        self.failure_count, self.probe_wait, self.probe_at, self.is_probing = 0, INITIAL_WAIT, None, False

    def record_failure(self, *, at_once: bool = False) -> None:
        """Record a transport failure; `at_once` opens the circuit without waiting for the threshold."""
        self.failure_count = FAILURE_THRESHOLD if at_once else self.failure_count + 1
        if self.is_probing:
            self.probe_wait = min(self.probe_wait * 2, MAX_WAIT)
        elif self.failure_count < FAILURE_THRESHOLD or self.probe_at is not None:
            return
        self._open(self.probe_wait)

    def pause_for(self, seconds: float) -> None:
        """Open the circuit for the time the provider asks for (`Retry-After`)."""
        self._open(min(timedelta(seconds=seconds), MAX_RETRY_AFTER))

    def _open(self, wait: timedelta) -> None:
        if self.probe_at is None:
            log.error("provider.circuit_opened", extra={"provider": self.name})
        self.probe_at, self.is_probing = self.now() + wait, False
