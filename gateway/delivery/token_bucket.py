"""A token bucket: how many messages a second a route may take, and when the next place is free."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PACE = 500.0
"""Messages a second that what was put back is spread over when a route has no rate of its own."""


@dataclass(slots=True)
class Bucket:
    """`rate` messages a second, 0 for no limit; what was not used in one second may be used in the next."""

    rate: float
    now: Callable[[], datetime]
    tokens: float = field(init=False)
    filled_at: datetime = field(init=False)
    booked_until: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = max(self.rate, 1.0)
        self.filled_at = self.booked_until = self.now()

    def take(self) -> bool:
        """Use one token, if there is one."""
        if not self.rate:
            return True
        self._fill()
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def soon(self) -> datetime:
        """When the next token drops: for what cannot wait its turn."""
        return self.now() + timedelta(seconds=1 / (self.rate or PACE))

    def appointment(self) -> datetime:
        """A place behind everybody who was given one: a long queue is spread over the time it takes."""
        step = timedelta(seconds=1 / (self.rate or PACE))
        self.booked_until = max(self.booked_until, self.now()) + step
        return self.booked_until

    def _fill(self) -> None:
        now = self.now()
        gained = max(0.0, (now - self.filled_at).total_seconds()) * self.rate
        self.tokens = min(max(self.rate, 1.0), self.tokens + gained)
        self.filled_at = now
