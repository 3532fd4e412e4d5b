"""Windowed counters for flood and abuse limits: in memory, in Redis, and in both with fallback."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from flows.domain.failures import Unavailable
from flows.domain.ports import Tallies
from flows.domain.records import Secret
from storage.crypto import derived, mark
from storage.sessions.circuit import Circuit
from storage.sessions.lua_scripts import TALLY
from storage.sessions.pipelining import Caller

MOST = 100_000
"""Counters one process holds; the one whose window began first is evicted first."""


@dataclass(slots=True)
class MemoryTallies:
    """The windowed-counter port for one process. `now` in seconds."""

    now: Callable[[], float]
    begun: OrderedDict[tuple[str, str], tuple[float, int]] = field(default_factory=OrderedDict, repr=False)
    """End of the window and count, by kind and subject."""

    async def count(self, what: str, who: str, seconds: float) -> int:
        """Count one more; return the count in the current window."""
        name, now = (what, who), self.now()
        ends, count = self.begun.get(name, (0.0, 0))
        if ends <= now:
            self.begun.pop(name, None)
            ends, count = now + seconds, 0
        self.begun[name] = ends, count + 1
        if len(self.begun) > MOST:
            self.begun.popitem(last=False)
        return count + 1


class RedisTallies:
    """Windowed counters in Redis, shared by all processes, under keyed hashes; raises Slow and Down."""

    def __init__(self, caller: Caller, secret: Secret) -> None:
        self._caller = caller
        self._key = derived(secret, "tallies")

    async def count(self, what: str, who: str, seconds: float) -> int:
        """Count one more; return the count in the current window. Slow or Down when Redis does not answer."""
        name = mark(self._key, what, who)[:12].hex()
        return int(await self._caller.call(TALLY, f"tally:{name}", ceil(seconds * 1000)))


class FallbackTallies:
    """Count in both and return the larger: without Redis the counts of this process still apply."""

    def __init__(self, primary: RedisTallies, spare: Tallies, now: Callable[[], float]) -> None:
        self._primary, self._spare = primary, spare
        self._circuit = Circuit(now, failures=3, cool_down_seconds=1.0)

    async def count(self, what: str, who: str, seconds: float) -> int:
        """Count one more; return the count in the current window."""
        own = await self._spare.count(what, who, seconds)
        if not self._circuit.closed():
            return own
        try:
            shared = await self._primary.count(what, who, seconds)
        except Unavailable as failure:
            self._circuit.failed(failure)
            return own
        self._circuit.worked()
        return max(own, shared)
