"""Circuit breaker of a provider, a BSS or a store; while open it lets one probe through per wait."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

log = logging.getLogger("dialtree.delivery")
FAILURE_THRESHOLD = 5
"""Consecutive failures that open the circuit."""
INITIAL_WAIT = timedelta(seconds=5)
MAX_WAIT = timedelta(seconds=60)
MAX_RETRY_AFTER = timedelta(hours=1)
"""Longest pause a server's `Retry-After` can ask for."""


def clock_from_seconds(seconds: Callable[[], float]) -> Callable[[], datetime]:
    """Return a clock for circuit breakers from seconds that only grow, such as a monotonic clock."""
    return lambda: datetime.fromtimestamp(seconds(), UTC)


@dataclass(slots=True)
class CircuitBreaker:
    """Circuit breaker: closed, open until `probe_at`, or half open during a probe.

    `failure_threshold` failures in a row open it. Each wait ends with one probe; a probe that fails, or
    never reports, is followed by another wait. A failed probe doubles the wait, up to `longest_wait`.
    """

    name: str
    """What is protected, for log events: `operator/route/provider`, a host, a store."""
    now: Callable[[], datetime] = field(repr=False)
    failure_threshold: int = FAILURE_THRESHOLD
    first_wait: timedelta = INITIAL_WAIT
    longest_wait: timedelta = MAX_WAIT
    report_change: Callable[["CircuitBreaker"], None] | None = field(default=None, repr=False)
    """Called when the circuit opened or closed; by default the change is logged as a provider's."""
    failure_count: int = field(default=0, init=False)
    probe_wait: timedelta = field(init=False)
    probe_at: datetime | None = field(default=None, init=False)
    """Time of the next probe while the circuit is open; None while it is closed."""
    is_probing: bool = field(default=False, init=False)
    last_failure: str = field(default="", init=False)
    """Type of the last failure's cause."""

    def __post_init__(self) -> None:
        self.probe_wait = self.first_wait

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open or half open."""
        return self.probe_at is not None

    def allow_request(self) -> bool:
        """Return whether a call may go now; while open, the first call after the wait is the probe."""
        if self.probe_at is None:
            return True
        now = self.now()
        if now < self.probe_at:
            return False
        self.probe_at, self.is_probing = now + self.probe_wait, True
        return True

    def record_success(self) -> None:
        """Record an answer, whatever it says; closes the circuit."""
        was_open = self.is_open
        self.failure_count, self.probe_wait, self.probe_at, self.is_probing = 0, self.first_wait, None, False
        if was_open:
            (self.report_change or log_provider_circuit)(self)

    def record_failure(self, failure: BaseException | None = None, *, at_once: bool = False) -> None:
        """Record a call without an answer; `at_once` opens the circuit without waiting for the threshold.

        Calls that were under way when the circuit opened do not lengthen its wait.
        """
        self.last_failure = type(failure.__cause__ or failure).__name__ if failure else ""
        self.failure_count = self.failure_threshold if at_once else self.failure_count + 1
        if self.is_probing:
            self.probe_wait = min(self.probe_wait * 2, self.longest_wait)
        elif self.failure_count < self.failure_threshold or self.is_open:
            return
        self._open(self.probe_wait)

    def pause_for(self, seconds: float) -> None:
        """Open the circuit for the time the server asks for (`Retry-After`)."""
        self._open(min(timedelta(seconds=seconds), MAX_RETRY_AFTER))

    def _open(self, wait: timedelta) -> None:
        was_open = self.is_open
        self.probe_at, self.is_probing = self.now() + wait, False
        if not was_open:
            (self.report_change or log_provider_circuit)(self)


def log_provider_circuit(breaker: CircuitBreaker) -> None:
    """Log that the circuit of a provider opened or closed."""
    if breaker.is_open:
        log.error("provider.circuit_opened", extra={"provider": breaker.name})
    else:
        log.warning("provider.circuit_closed", extra={"provider": breaker.name})
