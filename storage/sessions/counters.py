"""Windowed counters for flood and abuse limits: in memory, in Redis, and in both with fallback."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from cachetools import LRUCache

from flows.domain.failures import Unavailable
from flows.domain.ports import Counters
from flows.domain.records import Secret
from storage.crypto import derive_key, keyed_hash
from storage.sessions.lua_scripts import COUNT_IN_WINDOW
from storage.sessions.script_client import ScriptClient
from storage.sessions.store_breaker import build_store_breaker

MAX_COUNTERS = 100_000
"""Counters one process holds; the one that counted nothing for the longest time is evicted first."""


@dataclass(slots=True)
class MemoryCounters:
    """The windowed-counter port for one process. `now` in seconds."""

    now: Callable[[], float]
    windows: LRUCache[tuple[str, str], tuple[float, int]] = field(
        default_factory=lambda: LRUCache(MAX_COUNTERS), repr=False
    )
    """End of the window and count, by kind and subject."""

    async def count_event(self, what: str, who: str, seconds: float) -> int:
        """Count one more; return the count in the current window."""
        name, now = (what, who), self.now()
        ends, count = self.windows.get(name, (0.0, 0))
        if ends <= now:
            ends, count = now + seconds, 0
        self.windows[name] = ends, count + 1
        return count + 1


class RedisCounters:
    """Windowed counters in Redis, shared by all processes, under keyed hashes; raises Slow and Down."""

    def __init__(self, scripts: ScriptClient, secret: Secret) -> None:
        self._scripts = scripts
        self._hash_key = derive_key(secret, "tallies")

    async def count_event(self, what: str, who: str, seconds: float) -> int:
        """Count one more; return the count in the current window. Slow or Down when Redis does not answer."""
        name = keyed_hash(self._hash_key, what, who)[:12].hex()
        return int(await self._scripts.run_script(COUNT_IN_WINDOW, f"tally:{name}", ceil(seconds * 1000)))


class FallbackCounters:
    """Count in both and return the larger: without Redis the counts of this process still apply."""

    def __init__(self, primary: RedisCounters, memory: Counters, now: Callable[[], float]) -> None:
        self._primary, self._memory = primary, memory
        self._breaker = build_store_breaker(now)

    async def count_event(self, what: str, who: str, seconds: float) -> int:
        """Count one more; return the count in the current window."""
        own = await self._memory.count_event(what, who, seconds)
        if not self._breaker.allow_request():
            return own
        try:
            shared = await self._primary.count_event(what, who, seconds)
        except Unavailable as failure:
            self._breaker.record_failure(failure)
            return own
        self._breaker.record_success()
        return max(own, shared)
