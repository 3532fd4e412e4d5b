"""A breaker: a BSS that is out is left alone for a while, then asked by one call."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Breaker:
    """Closed; open until `asked_again_at`; then one call probes. Times are seconds of one steady clock."""

    failures: int = 5
    """In a row, before it opens."""
    rest_seconds: float = 5.0
    longest_seconds: float = 60.0
    """Each failed probe doubles the rest, up to here."""
    failed: int = field(default=0, init=False)
    rest: float = field(default=0.0, init=False)
    asked_again_at: float | None = field(default=None, init=False)
    probing: bool = field(default=False, init=False)

    def admits(self, now: float) -> bool:
        """May a call go now? The one that finds the rest over is the probe; the others wait for its end."""
        if self.asked_again_at is None:
            return True
        if now < self.asked_again_at:
            return False
        self.asked_again_at, self.probing = now + self.rest, True
        return True

    def worked(self) -> None:
        """The BSS answered, whatever it said."""
        self.failed, self.rest, self.asked_again_at, self.probing = 0, 0.0, None, False

    def broke(self, now: float) -> None:
        """The BSS did not answer. Calls that were under way when it opened say nothing new."""
        self.failed += 1
        if self.failed < self.failures or (self.asked_again_at is not None and not self.probing):
            return
        self.rest = min(self.longest_seconds, self.rest * 2 or self.rest_seconds)
        self.asked_again_at, self.probing = now + self.rest, False
