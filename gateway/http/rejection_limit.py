"""Rate limit on rejected requests per client address, checked before a body is read."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.ports import Tallies

WINDOW_SECONDS = 60.0
MOST_SOURCES = 50_000
"""Client addresses remembered; the one rejected longest ago is dropped first."""


@dataclass(slots=True)
class Refusals:
    """Counts rejected requests per client address, across processes.

    A process learns the shared count when it rejects a request, so each of several processes lets one more
    attempt through. Before any rejection the check costs one look at an empty table.
    """

    most: int
    """Rejections allowed per minute."""
    tallies: Tallies = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    counts: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict, repr=False)
    """By client address, when this process last learned its count, and the count."""

    def over(self, source: str) -> bool:
        """Return whether this client address has used up its rejections of the last minute."""
        if not self.counts:
            return False
        learned_at, count = self.counts.get(source, (0.0, 0))
        return count >= self.most and self.clock() - learned_at < WINDOW_SECONDS

    async def add(self, source: str) -> None:
        """Count one rejection."""
        count = await self.tallies.count("refused", source, WINDOW_SECONDS)
        self.counts[source] = self.clock(), count
        self.counts.move_to_end(source)
        if len(self.counts) > MOST_SOURCES:
            self.counts.popitem(last=False)
