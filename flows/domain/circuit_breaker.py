"""Circuit breaker of an SMS or e-mail provider; while half open it lets one message at a time through."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

log = logging.getLogger("dialtree.delivery")
FAILURES = 5
"""Consecutive transport failures that open the circuit."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(seconds=60)
LONGEST_REST = timedelta(hours=1)
"""Longest pause a provider's `Retry-After` can ask for."""


@dataclass(slots=True)
class Breaker:
    """Circuit breaker: closed, open until `probe_at`, or half open during a probe.

    A failed probe doubles the wait, up to `MAX_WAIT`.
    """

    name: str
    """`operator/route/provider`, for log events."""
    now: Callable[[], datetime]
    failures: int = 0
    wait: timedelta = FIRST_WAIT
    probe_at: datetime | None = None
    """Time of the next probe while the circuit is open; None while it is closed."""
    probing: bool = False

    def admits(self) -> bool:
        """Return whether a message may be sent now; while open, the first call after the wait is the probe."""
        if self.probe_at is None:
            return True
        if self.now() < self.probe_at:
            return False
        self.probe_at, self.probing = self.now() + self.wait, True
        return True

    def worked(self) -> None:
        """Record that the provider works, whatever it answered about the message; closes the circuit."""
        if self.probe_at is not None:
            log.warning("provider.circuit_closed", extra={"provider": self.name})
        self.failures, self.wait, self.probe_at, self.probing = 0, FIRST_WAIT, None, False

    def failed(self, *, at_once: bool = False) -> None:
        """Record a transport failure; `at_once` opens the circuit without waiting for the threshold."""
        self.failures = FAILURES if at_once else self.failures + 1
        if self.probing:
            self.wait = min(self.wait * 2, LONGEST_WAIT)
        elif self.failures < FAILURES or self.probe_at is not None:
            return
        self._open(self.wait)

    def rest(self, seconds: float) -> None:
        """Open the circuit for the time the provider asks for (`Retry-After`)."""
        self._open(min(timedelta(seconds=seconds), LONGEST_REST))

    def _open(self, wait: timedelta) -> None:
        if self.probe_at is None:
            log.error("provider.circuit_opened", extra={"provider": self.name})
        self.probe_at, self.probing = self.now() + wait, False
