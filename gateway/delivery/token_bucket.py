"""Token bucket: limits what a route sends per second and spreads the excess over the time it takes."""

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
        self.tokens = self._capacity
        self.filled_at = self.booked_until = self.now()

    def take_tokens(self, cost: int = 1) -> bool:
        """Use the tokens of one message; False when they are not there.

        A message that costs more than a second holds goes when the bucket is full; what follows pays for it.
        """
        if not self.rate_per_second:
            return True
        self._refill()
        if self.tokens < min(cost, self._capacity):
            return False
        self.tokens -= cost
        return True

    def next_tokens_at(self, cost: int = 1) -> datetime:
        """Return when a message's tokens are due, for messages that do not wait for a slot."""
        return self.now() + self._time_of(cost)

    def book_slot(self, cost: int = 1) -> datetime:
        """Book the next free slot: a long queue is spread over the time its sending takes."""
        self.booked_until = max(self.booked_until, self.now()) + self._time_of(cost)
        return self.booked_until

    @property
    def _capacity(self) -> float:
        return max(self.rate_per_second, 1.0)

    def _time_of(self, cost: int) -> timedelta:
        return timedelta(seconds=cost / (self.rate_per_second or DEFAULT_RATE))

    def _refill(self) -> None:
        """Add the tokens gained since the last call."""
        now = self.now()
        gained = max(0.0, (now - self.filled_at).total_seconds()) * self.rate_per_second
        self.tokens = min(self._capacity, self.tokens + gained)
        self.filled_at = now
