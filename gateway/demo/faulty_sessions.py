"""Fault-injecting session store with the failover used for Redis, for the demo and the tests."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.failures import Down
from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory_store import MemorySessions


@dataclass(slots=True)
class SwitchableStore:
    """A shared session store that can be switched off: it then raises Down, as an unreachable Redis."""

    inner: SessionStore
    state: str = "up"

    def recall(self, key: SessionKey, request_id: str) -> OpenedSession | None:
        """See `Sessions.recall`; None while switched off."""
        return self.inner.recall(key, request_id) if self.state == "up" else None

    async def open(self, key: SessionKey, request_id: str) -> OpenedSession:
        """See `Sessions.open`; Down while switched off."""
        return await self._require_up().open(key, request_id)

    async def save(
        self,
        key: SessionKey,
        opened: OpenedSession,
        request_id: str,
        session: bytes | None,
        reply: bytes,
        *,
        can_resume: bool = False,
    ) -> bool:
        """Store session and reply; Down while switched off."""
        store = self._require_up()
        return await store.save(key, opened, request_id, session, reply, can_resume=can_resume)

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        """Forget the request id; Down while switched off."""
        await self._require_up().acknowledge_reply(key, version)

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        """Release the lease; Down while switched off."""
        await self._require_up().release(key, opened)

    async def delete_session(self, key: SessionKey) -> None:
        """Delete the session; Down while switched off."""
        await self._require_up().delete_session(key)

    async def forget_subscriber(self, tag: str) -> int:
        """Delete a subscriber's sessions; Down while switched off."""
        return await self._require_up().forget_subscriber(tag)

    def _require_up(self) -> SessionStore:
        if self.state == "down":
            raise Down
        return self.inner


@dataclass(slots=True)
class FaultySessions:
    """A switchable shared store behind the same memory fallback that Redis has.

    The shared store is tried on every turn, without a cool-down after failures, so that a dialog's result
    does not depend on timing.
    """

    now: Callable[[], float] = time.monotonic
    """The time in seconds by which dropped sessions can no longer be continued."""
    store: SwitchableStore = field(init=False, repr=False)
    sessions: SessionStore = field(init=False, repr=False)
    """The store that conversations use."""

    def __post_init__(self) -> None:
        self.store = SwitchableStore(MemorySessions(time.monotonic, resume_now=self.now))
        spare = MemorySessions(time.monotonic, resume_now=self.now)
        self.sessions = FallbackSessions(self.store, spare, time.monotonic, cool_down_seconds=0.0)

    @property
    def state(self) -> str:
        """Return `up` or `down`."""
        return self.store.state

    def set_state(self, state: str) -> None:
        """Set the state to `up` or `down`."""
        self.store.state = state
