"""Live sessions that go on, in this process's memory, when the shared store does not answer."""

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
    """A shared store with this process's memory behind it, so that no caller meets its failures.

    When the primary is slow, full, read-only, gone or failing over, the turn is served from `spare`. After
    `failures` in a row the primary is left alone for `cool_down_seconds` of `now`, then one turn tries
    it. A session stays where it was opened: what `spare` holds is served from there until it ends
    or expires, and a turn whose save the primary did not take goes on in `spare`.

    What this may lose, for as long as the primary is out: a session it alone knew starts again at
    home; so does one whose next turn reaches another process; two processes may each answer a
    repeat of one hop, once each (what they change carries its own key and happens once); each process
    counts its own rate; the network's word that a conversation is over does not reach the primary, where it
    expires. Nothing that must not be lost is kept in sessions. Overloaded is raised when `spare` is full.
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
        """Is the primary being left alone? For readiness and metrics."""
        return self._circuit.broken

    async def open(self, key: SessionKey, hop: str) -> Opened:
        """As `Sessions.open` says, from whichever store has the session."""
        if not self._spare.holds(key):
            opened = await self._try(lambda: self._primary.open(key, hop))
            if opened is not None:
                return opened
        # A lease below zero is the spare's: the save finds its way back by it.
        opened = await self._spare.open(key, hop)
        return replace(opened, lease=-opened.lease)

    async def save(
        self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes
    ) -> bool:
        """Keep both where the session was opened; in `spare` when that store does not take them."""
        if opened.lease < 0:
            return await self._spare.save(key, _spares(opened), hop, session, reply)
        saved = await self._try(lambda: self._primary.save(key, opened, hop, session, reply))
        if saved is None:
            self._keep(key, opened, hop, session, reply)
        return saved is not False

    async def release(self, key: SessionKey, opened: Opened) -> None:
        """Give the lease back; one the primary does not hear of runs out."""
        if opened.lease < 0:
            await self._spare.release(key, _spares(opened))
            return
        await self._try(lambda: self._primary.release(key, opened))

    async def drop(self, key: SessionKey) -> None:
        """Forget it in both stores; what the primary does not hear of expires."""
        await self._spare.drop(key)
        await self._try(lambda: self._primary.drop(key))

    async def forget(self, tag: str) -> int:
        """Forget it in both; Unavailable when the primary cannot be asked: whoever asks must know."""
        return await self._spare.forget(tag) + await self._primary.forget(tag)

    def _keep(self, key: SessionKey, opened: Opened, hop: str, session: bytes | None, reply: bytes) -> None:
        """The turn is done and its reply is owed: a full spare costs the session, not the reply."""
        try:
            self._spare.keep(key, opened.version, hop, session, reply)
        except Overloaded:
            _log.warning("sessions.lost: the store did not save and memory is full")

    async def _try(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """What the primary answers; None when it does not, or is not to be asked."""
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
