"""Refusals: sources that were refused too often are turned away before their bodies are read."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
MOST_SOURCES = 50_000
"""Sources remembered; the one refused longest ago goes first."""


@dataclass(slots=True)
class Refusals:
    """Refused requests by source in this process; a source never refused costs one look at an empty table."""

    most: int
    """In a minute."""
    clock: Callable[[], float] = time.monotonic
    counts: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict, repr=False)

    def over(self, source: str) -> bool:
        """Has this source used up its refusals?"""
        if not self.counts:
            return False
        began, count = self.counts.get(source, (0.0, 0))
        return count >= self.most and self.clock() - began < WINDOW_SECONDS

    def add(self, source: str) -> None:
        """One more."""
        began, count = self.counts.get(source, (0.0, 0))
        now = self.clock()
        fresh = now - began >= WINDOW_SECONDS
        self.counts[source] = (now, 1) if fresh else (began, count + 1)
        self.counts.move_to_end(source)
        if len(self.counts) > MOST_SOURCES:
            self.counts.popitem(last=False)
