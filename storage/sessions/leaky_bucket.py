"""How many turns a subscriber may take: a leaky bucket, one number per subscriber."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `turns` in any `seconds`, then one each `seconds / turns`."""

    turns: int
    seconds: float

    def __post_init__(self) -> None:
        if self.turns < 1 or self.seconds <= 0:
            raise ValueError("a rate needs at least one turn in a positive time")

    @property
    def interval(self) -> float:
        """Seconds one turn takes to leak out."""
        return self.seconds / self.turns


class Buckets:
    """The buckets of this process: for each tag the moment when it will have run empty.

    At most `entries` are kept; beyond that the one untouched the longest is forgotten.
    """

    def __init__(self, rate: Rate, entries: int) -> None:
        self._interval = rate.interval
        self._room = rate.seconds * _ROUNDING
        self._entries = entries
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def take(self, tag: str, now: float) -> bool:
        """Count one turn; False, and nothing counted, when there is no room for it."""
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
"""Ten times a tenth must not be more than one."""
