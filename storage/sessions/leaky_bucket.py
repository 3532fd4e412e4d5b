"""Rate limit of turns per subscriber: a leaky bucket, one number each."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnRateLimit:
    """At most `max_turns` at once in `window_seconds`, then one each `interval_seconds`."""

    max_turns: int
    window_seconds: float

    def __post_init__(self) -> None:
        if self.max_turns < 1 or self.window_seconds <= 0:
            raise ValueError("a turn rate limit needs at least one turn and a positive time")

    @property
    def interval_seconds(self) -> float:
        """Seconds after which one more turn is allowed."""
        return self.window_seconds / self.max_turns


class TurnRateLimiter:
    """Turn rate limiter of one process: for each tag the time when its bucket will be empty.

    At most `max_entries` are kept; beyond that the least recently used one is evicted.
    """

    def __init__(self, limit: TurnRateLimit, max_entries: int) -> None:
        self._interval_seconds = limit.interval_seconds
        self._capacity_seconds = limit.window_seconds * _ROUNDING_TOLERANCE
        self._max_entries = max_entries
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def allow_turn(self, tag: str, now: float) -> bool:
        """Count one turn; False, with nothing counted, when it is over the limit."""
        filled = max(self._empty_at.get(tag, now), now) + self._interval_seconds
        if filled - now > self._capacity_seconds:
            return False
        self._empty_at[tag] = filled
        self._empty_at.move_to_end(tag)
        self._evict_oldest(now)
        return True

    def _evict_oldest(self, now: float) -> None:
        oldest = next(iter(self._empty_at))
        if self._empty_at[oldest] <= now or len(self._empty_at) > self._max_entries:
            del self._empty_at[oldest]


_ROUNDING_TOLERANCE = 1 + 1e-9
"""Tolerance for floating-point sums: ten times a tenth must not exceed one."""
