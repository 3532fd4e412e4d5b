"""Rate limit on rejected requests per client address, checked before a body is read."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import FIFOCache

from flows.domain.ports import Counters

WINDOW_SECONDS = 60.0
MAX_SOURCES = 50_000
"""Client addresses remembered; the one rejected longest ago is dropped first."""


@dataclass(slots=True)
class RejectionLimiter:
    """Counts rejected requests per client address, across processes.

    A process learns the shared count when it rejects a request, so each of several processes lets one more
    attempt through. Before any rejection the check costs one look at an empty table.
    """

    max_per_minute: int
    """Rejections allowed per minute."""
    counters: Counters = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    recent_counts: FIFOCache[str, tuple[float, int]] = field(
        default_factory=lambda: FIFOCache(MAX_SOURCES), repr=False
    )
    """By client address, when this process last learned its count, and the count."""

    def is_blocked(self, source: str) -> bool:
        """Return whether this client address has used up its rejections of the last minute."""
        if not self.recent_counts:
            return False
        learned_at, count = self.recent_counts.get(source, (0.0, 0))
        return count >= self.max_per_minute and self.clock() - learned_at < WINDOW_SECONDS

    async def record_rejection(self, source: str) -> None:
        """Count one rejection."""
        count = await self.counters.count_event("refused", source, WINDOW_SECONDS)
        self.recent_counts[source] = self.clock(), count
