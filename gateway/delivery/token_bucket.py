"""Token bucket: limits a route's messages per second and spreads the excess over the time it takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

DEFAULT_RATE = 500.0
"""Messages per second that postponed messages are spread over on a route without a rate of its own."""


@dataclass(slots=True)
class TokenBucket:
    """Holds up to one second's tokens; a rate of 0 means no limit."""

    rate_per_second: float
    now: Callable[[], datetime]
    tokens: float = field(init=False)
    filled_at: datetime = field(init=False)
    booked_until: datetime = field(init=False)
    """Time of the last slot given out."""

    def __post_init__(self) -> None:
        self.tokens = max(self.rate_per_second, 1.0)
        self.filled_at = self.booked_until = self.now()

    def take_token(self) -> bool:
        """Use one token; False when there is none."""
        if not self.rate_per_second:
            return True
        self._refill()
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def next_token_at(self) -> datetime:
        """Return when the next token is due, for messages that do not wait for a slot."""
        return self.now() + timedelta(seconds=1 / (self.rate_per_second or DEFAULT_RATE))

    def book_slot(self) -> datetime:
        """Book the next free slot: a long queue is spread over the time its sending takes."""
        step = timedelta(seconds=1 / (self.rate_per_second or DEFAULT_RATE))
        self.booked_until = max(self.booked_until, self.now()) + step
        return self.booked_until

    def _refill(self) -> None:
        """Add the tokens gained since the last call."""
        now = self.now()
        gained = max(0.0, (now - self.filled_at).total_seconds()) * self.rate_per_second
        self.tokens = min(max(self.rate_per_second, 1.0), self.tokens + gained)
        self.filled_at = now
