"""Refusals: sources that were refused too often are turned away before their bodies are read."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.ports import Tallies

WINDOW_SECONDS = 60.0
MOST_SOURCES = 50_000
"""Sources remembered; the one refused longest ago goes first."""


@dataclass(slots=True)
class Refusals:
    """Refused requests by source, of all processes; one never refused costs one look at an empty table.

    Each process learns the common count when it refuses: of several, each lets one more be tried.
    """

    most: int
    """In a minute."""
    tallies: Tallies = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    counts: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict, repr=False)
    """What this process last heard of a source, and when."""

    def over(self, source: str) -> bool:
        """Has this source used up its refusals?"""
        if not self.counts:
            return False
        heard, count = self.counts.get(source, (0.0, 0))
        return count >= self.most and self.clock() - heard < WINDOW_SECONDS

    async def add(self, source: str) -> None:
        """One more."""
        count = await self.tallies.count("refused", source, WINDOW_SECONDS)
        self.counts[source] = self.clock(), count
        self.counts.move_to_end(source)
        if len(self.counts) > MOST_SOURCES:
            self.counts.popitem(last=False)
