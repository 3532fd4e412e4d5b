"""Rate limit of turns per subscriber: a leaky bucket, one number each."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `max_turns` at once in `window_seconds`, then one each `interval_seconds`."""

    turns: int
    seconds: float

    def __post_init__(self) -> None:
        if self.turns < 1 or self.seconds <= 0:
            raise ValueError("a turn rate limit needs at least one turn and a positive time")

    @property
    def interval(self) -> float:
        """Seconds after which one more turn is allowed."""
        return self.seconds / self.turns


class Buckets:
    """Turn rate limiter of one process: for each tag the time when its bucket will be empty.

    At most `max_entries` are kept; beyond that the least recently used one is evicted.
    """

    def __init__(self, rate: Rate, entries: int) -> None:
        self._interval = rate.interval
        self._room = rate.seconds * _ROUNDING
        self._entries = entries
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def take(self, tag: str, now: float) -> bool:
        """Count one turn; False, with nothing counted, when it is over the limit."""
        filled = max(self._empty_at.get(tag, now), now) + self._interval
        if filled - now > self._room:
            return False
        self._empty_at[tag] = filled
        self._empty_at.move_to_end(tag)
        self._sweep(now)
        return True

    def _sweep(self, now: float) -> None:
        oldest = next(iter(self._empty_at))
        if self._empty_at[oldest] <= now or len(self._empty_at) > self._entries:
            del self._empty_at[oldest]


_ROUNDING = 1 + 1e-9
"""Tolerance for floating-point sums: ten times a tenth must not exceed one."""
