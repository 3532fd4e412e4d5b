"""Session store with fallback to this process's memory while the shared store does not answer."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from flows.domain.failures import Overloaded, Unavailable
from flows.domain.ports import Opened, SessionKey, Sessions
from storage.sessions.circuit import Circuit
from storage.sessions.memory_store import MemorySessions

_log = logging.getLogger("dialtree.sessions")
T = TypeVar("T")


class FallbackSessions:
    """A shared session store (`primary`) with this process's memory as the fallback.

    When the primary is slow, full, read-only, gone or failing over, the turn is served from `memory`. After
    `failure_threshold` failures in a row the primary is not called for `cool_down_seconds`, then by one turn.
    A session stays where it was opened: one held in `memory` is served from there until it ends
    or expires, and a turn whose save to the primary failed continues in `memory`.

    What may be lost while the primary is out: a session only the primary had starts again at home; so does
    one whose next turn reaches another process; two processes may each answer a repeat of one hop, once
    each (changes carry an idempotency key and happen once); each process applies its own rate limit; the
    network's end of a conversation does not reach the primary, where the session expires. Nothing that must
    not be lost is in sessions. Raises Overloaded when `memory` is full.
    """

    def __init__(
        self,
        primary: Sessions,
        spare: MemorySessions,
        now: Callable[[], float],
        failures: int = 3,
        cool_down_seconds: float = 1.0,
    ) -> None:
        self._primary = primary
        self._spare = spare
        self._circuit = Circuit(now, failures, cool_down_seconds)

    @property
    def degraded(self) -> bool:
        """Whether the circuit of the primary is open. For readiness and metrics."""
        return self._circuit.broken

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """Implement `Sessions.open`, from the store that has the session."""
        if not self._spare.holds(key):
            opened = await self._try(lambda: self._primary.open(key, hop))
            if opened is not None:
                return opened
        # A negative lease marks a session opened in memory, so that save and release go there too.
        opened = await self._spare.open(key, hop)
        return replace(opened, lease=-opened.lease)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Store both where the session was opened; in `memory` when the primary fails."""
        if opened.lease < 0:
            return await self._spare.save(key, _spares(opened), hop, session, reply)
        saved = await self._try(lambda: self._primary.save(key, opened, hop, session, reply))
        if saved is None:
            self._keep(key, opened, hop, session, reply)
        return saved is not False

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Release the lease; if the primary cannot be called, the lease expires there."""
        if opened.lease < 0:
            await self._spare.release(key, _spares(opened))
            return
        await self._try(lambda: self._primary.release(key, opened))

    async def drop(self, key: SessionKey) -> None:
        """Delete the session in both stores; if the primary cannot be called, it expires there."""
        await self._spare.drop(key)
        await self._try(lambda: self._primary.drop(key))

    async def forget(self, tag: str) -> int:
        """Delete a subscriber's sessions in both stores; Unavailable when the primary cannot be called."""
        return await self._spare.forget(tag) + await self._primary.forget(tag)

    def _keep(self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes) -> None:
        """Store the finished turn in memory; when memory is full only the session is lost, not the reply."""
        try:
            self._spare.keep(key, opened.version, hop, session, reply)
        except Overloaded:
            _log.warning("sessions.session_lost")

    async def _try(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return the primary's answer; None when it fails or its circuit is open."""
        if not self._circuit.closed():
            return None
        try:
            answer = await work()
        except Unavailable as failure:
            self._circuit.failed(failure)
            return None
        self._circuit.worked()
        return answer


def _spares(opened: Opened) -> Opened:
    return replace(opened, lease=-opened.lease)
