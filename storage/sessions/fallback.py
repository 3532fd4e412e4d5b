"""Session store with fallback to this process's memory while the shared store does not answer."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from flows.domain.failures import Overloaded, Unavailable
from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from storage.sessions.memory_store import MemorySessions
from storage.sessions.store_breaker import COOL_DOWN_SECONDS, FAILURE_THRESHOLD, build_store_breaker

_log = logging.getLogger("dialtree.sessions")
T = TypeVar("T")


class FallbackSessions:
    """A shared session store (`primary`) with this process's memory as the fallback.

    When the primary is slow, full, read-only, gone or failing over, the turn is served from `memory`. After
    `failure_threshold` failures in a row the primary is not called for `cool_down_seconds`, then by one turn
    (the probe); each probe that fails doubles the pause, up to four times the first.
    A session stays where it was opened: one held in `memory` is served from there until it ends
    or expires, and a turn whose save to the primary failed continues in `memory`.

    What may be lost while the primary is out: a session only the primary had starts again at home, unless this
    process saved it last; so does one whose next turn reaches another process, which may also go on from an
    earlier screen that it answered itself, without effects; two processes may each answer a repeat of one hop,
    once each (changes carry an idempotency key and happen once); each process applies its own rate limit; the
    network's end of a conversation does not reach the primary, where the session expires. Nothing that must
    not be lost is in sessions. Raises Overloaded when `memory` is full.
    """

    def __init__(
        self,
        primary: SessionStore,
        memory: MemorySessions,
        now: Callable[[], float],
        failure_threshold: int = FAILURE_THRESHOLD,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
    ) -> None:
        self._primary = primary
        self._memory = memory
        self._breaker = build_store_breaker(now, failure_threshold, cool_down_seconds)
        self.memory_turn_count = 0
        """Turns served from `memory`."""

    @property
    def is_degraded(self) -> bool:
        """Whether the circuit of the primary is open. For readiness and metrics."""
        return self._breaker.is_open

    def recall(self, key: SessionKey, request_id: str) -> OpenedSession | None:
        """Implement `Sessions.recall`; None while the session, or every session, is served from `memory`."""
        if self._breaker.is_open or self._memory.has_session(key):
            return None
        return self._primary.recall(key, request_id)

    async def open(self, key: SessionKey, request_id: str) -> OpenedSession:
        """Implement `Sessions.open`, from the store that has the session."""
        if not self._memory.has_session(key):
            opened = await self._call_primary(lambda: self._primary.open(key, request_id))
            if opened is not None:
                return opened
        # A negative lease marks a session opened in memory, so that save and release go there too.
        self.memory_turn_count += 1
        opened = await self._memory.open(key, request_id)
        return replace(opened, fencing_token=-opened.fencing_token)

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
        """Store all where the session was opened; in `memory` when the primary fails."""
        turn = (request_id, session, reply)
        if opened.fencing_token < 0:
            return await self._memory.save(key, _memory_lease(opened), *turn, can_resume=can_resume)
        saved = await self._call_primary(lambda: self._primary.save(key, opened, *turn, can_resume=can_resume))
        if saved is None:
            self._save_in_memory(key, opened, *turn, can_resume=can_resume)
        return saved is not False

    async def acknowledge_reply(self, key: SessionKey, version: int) -> None:
        """Forget the request id where the session is; Unavailable when that store cannot be called."""
        if self._memory.has_session(key):
            await self._memory.acknowledge_reply(key, version)
        elif self._breaker.allow_request():
            await self._primary.acknowledge_reply(key, version)

    async def release(self, key: SessionKey, opened: OpenedSession) -> None:
        """Release the lease; if the primary cannot be called, the lease expires there."""
        if opened.fencing_token < 0:
            await self._memory.release(key, _memory_lease(opened))
            return
        await self._call_primary(lambda: self._primary.release(key, opened))

    async def delete_session(self, key: SessionKey) -> None:
        """Delete the session in both stores; if the primary cannot be called, it expires there."""
        await self._memory.delete_session(key)
        await self._call_primary(lambda: self._primary.delete_session(key))

    async def forget_subscriber(self, tag: str) -> int:
        """Delete a subscriber's sessions in both stores; Unavailable when the primary cannot be called."""
        return await self._memory.forget_subscriber(tag) + await self._primary.forget_subscriber(tag)

    def _save_in_memory(
        self,
        key: SessionKey,
        opened: OpenedSession,
        request_id: str,
        session: bytes | None,
        reply: bytes,
        *,
        can_resume: bool,
    ) -> None:
        """Store the finished turn in memory; when memory is full only the session is lost, not the reply."""
        try:
            self._memory.adopt_session(key, opened.version, request_id, session, reply, can_resume=can_resume)
        except Overloaded:
            _log.warning("sessions.session_lost")

    async def _call_primary(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return the primary's answer; None when it fails or its circuit is open."""
        if not self._breaker.allow_request():
            return None
        try:
            answer = await call()
        except Unavailable as failure:
            self._breaker.record_failure(failure)
            return None
        self._breaker.record_success()
        return answer


def _memory_lease(opened: OpenedSession) -> OpenedSession:
    return replace(opened, fencing_token=-opened.fencing_token)
