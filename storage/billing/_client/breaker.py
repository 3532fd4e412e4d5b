"""Circuit breaker of a BSS: after repeated failures no calls for a while, then one probe call."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Breaker:
    """Closed until `failure_threshold` failures in a row; open until `probe_at`; then one call probes.

    Times are seconds of one monotonic clock.
    """

    failures: int = 5
    """Failures in a row that open it."""
    rest_seconds: float = 5.0
    longest_seconds: float = 60.0
    """Each failed probe doubles the wait, up to this limit."""
    failed: int = field(default=0, init=False)
    rest: float = field(default=0.0, init=False)
    asked_again_at: float | None = field(default=None, init=False)
    probing: bool = field(default=False, init=False)

    def admits(self, now: float) -> bool:
        """Return whether a call may go now; when open, only the first call after the wait (the probe) may."""
        if self.asked_again_at is None:
            return True
        if now < self.asked_again_at:
            return False
        self.asked_again_at, self.probing = now + self.rest, True
        return True

    def worked(self) -> None:
        """Close the circuit: the BSS answered, whatever the answer was."""
        self.failed, self.rest, self.asked_again_at, self.probing = 0, 0.0, None, False

    def broke(self, now: float) -> None:
        """Count a call without an answer; ignored while open unless it was the probe."""
        self.failed += 1
        if self.failed < self.failures or (self.asked_again_at is not None and not self.probing):
            return
        self.rest = min(self.longest_seconds, self.rest * 2 or self.rest_seconds)
        self.asked_again_at, self.probing = now + self.rest, False
