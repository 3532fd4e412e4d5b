"""Fragile sessions: in memory, and they fail over as those in Redis do, for the demo and the tests."""

import time
from dataclasses import dataclass, field

from flows.domain.failures import Down
from flows.domain.ports import Opened, SessionKey, Sessions
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory_store import MemorySessions


@dataclass(slots=True)
class Absent:
    """The shared store as it is when nobody answers at its address, and as it was again afterwards."""

    inner: Sessions
    state: str = "up"

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """As `Sessions.open` says; Down while it is gone."""
        return await self._answering().open(key, hop)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Keep both; Down while it is gone."""
        return await self._answering().save(key, opened, hop, session, reply)

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Give the lease back; Down while it is gone."""
        await self._answering().release(key, opened)

    async def drop(self, key: SessionKey) -> None:
        """Forget it; Down while it is gone."""
        await self._answering().drop(key)

    async def forget(self, tag: str) -> int:
        """Forget a subscriber; Down while it is gone."""
        return await self._answering().forget(tag)

    def _answering(self) -> Sessions:
        if self.state == "down":
            raise Down
        return self.inner


@dataclass(slots=True)
class FragileSessions:
    """A shared store that can be taken away, before the very fallback that stands before Redis.

    It is tried on every turn, without a pause after failures: what a dialog shows does not hang on the time.
    """

    store: Absent = field(default_factory=lambda: Absent(MemorySessions(time.monotonic)), repr=False)
    sessions: Sessions = field(init=False, repr=False)
    """What conversations are given."""

    def __post_init__(self) -> None:
        spare = MemorySessions(time.monotonic)
        self.sessions = FallbackSessions(self.store, spare, time.monotonic, cool_down_seconds=0.0)

    @property
    def state(self) -> str:
        """`up` or `down`."""
        return self.store.state

    def become(self, state: str) -> None:
        """`up` or `down` from now on."""
        self.store.state = state
