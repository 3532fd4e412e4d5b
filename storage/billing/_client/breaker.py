"""Circuit breaker of a BSS: after repeated failures no calls for a while, then one probe call."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class BackendCircuitBreaker:
    """Closed until `failure_threshold` failures in a row; open until `probe_at`; then one call probes.

    Times are seconds of one monotonic clock.
    """

    failure_threshold: int = 5
    """Failures in a row that open it."""
    first_wait_seconds: float = 5.0
    longest_wait_seconds: float = 60.0
    """Each failed probe doubles the wait, up to this limit."""
    failure_count: int = field(default=0, init=False)
    wait_seconds: float = field(default=0.0, init=False)
    probe_at: float | None = field(default=None, init=False)
    is_probing: bool = field(default=False, init=False)

    def allow_request(self, now: float) -> bool:
        """Return whether a call may go now; when open, only the first call after the wait (the probe) may."""
        if self.probe_at is None:
            return True
        if now < self.probe_at:
            return False
        self.probe_at, self.is_probing = now + self.wait_seconds, True
        return True

    def record_success(self) -> None:
        """Close the circuit: the BSS answered, whatever the answer was."""
        self.failure_count, self.wait_seconds, self.probe_at, self.is_probing = 0, 0.0, None, False

    def record_failure(self, now: float) -> None:
        """Count a call without an answer; ignored while open unless it was the probe."""
        self.failure_count += 1
        if self.failure_count < self.failure_threshold or (self.probe_at is not None and not self.is_probing):
            return
        self.wait_seconds = min(self.longest_wait_seconds, self.wait_seconds * 2 or self.first_wait_seconds)
        self.probe_at, self.is_probing = now + self.wait_seconds, False
