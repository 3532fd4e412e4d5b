"""A circuit breaker: a provider that is out is left alone, and asked again by one message at a time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

log = logging.getLogger("dialtree.delivery")
FAILURES = 5
"""Transport failures in a row that open it."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(seconds=60)
LONGEST_REST = timedelta(hours=1)
"""A provider may not silence us for longer, whatever it asks."""


@dataclass(slots=True)
class Breaker:
    """Closed; open until `probe_at`; half open while a probe is under way. A failed probe doubles the wait."""

    name: str
    """`operator/route/provider`, for the log."""
    now: Callable[[], datetime]
    failures: int = 0
    wait: timedelta = FIRST_WAIT
    probe_at: datetime | None = None
    """When an open one may be asked again; None while it is closed."""
    probing: bool = False

    def admits(self) -> bool:
        """May a message go now? Of those that ask an open one, the first after the wait may."""
        if self.probe_at is None:
            return True
        if self.now() < self.probe_at:
            return False
        self.probe_at, self.probing = self.now() + self.wait, True
        return True

    def worked(self) -> None:
        """The provider did its work, whatever it said of the message."""
        if self.probe_at is not None:
            log.warning("route closed", extra={"provider": self.name})
        self.failures, self.wait, self.probe_at, self.probing = 0, FIRST_WAIT, None, False

    def failed(self, *, at_once: bool = False) -> None:
        """The provider did not do its work; `at_once` when no other message can fare better."""
        self.failures = FAILURES if at_once else self.failures + 1
        if self.probing:
            self.wait = min(self.wait * 2, LONGEST_WAIT)
        elif self.failures < FAILURES or self.probe_at is not None:
            return
        self._open(self.wait)

    def rest(self, seconds: float) -> None:
        """The provider asks to be left alone for so long (`Retry-After`)."""
        self._open(min(timedelta(seconds=seconds), LONGEST_REST))

    def _open(self, wait: timedelta) -> None:
        if self.probe_at is None:
            log.error("route opened", extra={"provider": self.name})
        self.probe_at, self.probing = self.now() + wait, False
