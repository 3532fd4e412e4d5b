"""Fault-injecting session store with the failover used for Redis, for the demo and the tests."""

import time
from dataclasses import dataclass, field

from flows.domain.failures import Down
from flows.domain.ports import Opened, SessionKey, Sessions
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory_store import MemorySessions


@dataclass(slots=True)
class Absent:
    """A shared session store that can be switched off: it then raises Down, as an unreachable Redis."""

    inner: Sessions
    state: str = "up"

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """See `Sessions.open`; Down while switched off."""
        return await self._answering().open(key, hop)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Store session and reply; Down while switched off."""
        return await self._answering().save(key, opened, hop, session, reply)

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Release the lease; Down while switched off."""
        await self._answering().release(key, opened)

    async def drop(self, key: SessionKey) -> None:
        """Delete the session; Down while switched off."""
        await self._answering().drop(key)

    async def forget(self, tag: str) -> int:
        """Delete a subscriber's sessions; Down while switched off."""
        return await self._answering().forget(tag)

    def _answering(self) -> Sessions:
        if self.state == "down":
            raise Down
        return self.inner


@dataclass(slots=True)
class FragileSessions:
    """A switchable shared store behind the same memory fallback that Redis has.

    The shared store is tried on every turn, without a cool-down after failures, so that a dialog's result
    does not depend on timing.
    """

    store: Absent = field(default_factory=lambda: Absent(MemorySessions(time.monotonic)), repr=False)
    sessions: Sessions = field(init=False, repr=False)
    """The store that conversations use."""

    def __post_init__(self) -> None:
        spare = MemorySessions(time.monotonic)
        self.sessions = FallbackSessions(self.store, spare, time.monotonic, cool_down_seconds=0.0)

    @property
    def state(self) -> str:
        """Return `up` or `down`."""
        return self.store.state

    def become(self, state: str) -> None:
        """Set the state to `up` or `down`."""
        self.store.state = state
