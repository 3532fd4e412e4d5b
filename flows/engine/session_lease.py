"""Session lease of one turn: the leased session of one inbound event, until it is saved or released."""

import asyncio
from dataclasses import dataclass, field

from flows.domain.failures import Failure
from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from flows.engine.inbound import Inbound


@dataclass(frozen=True, slots=True)
class SessionLease:
    """An inbound event with its leased session."""

    store: SessionStore = field(repr=False)
    inbound: Inbound = field(repr=False)
    key: SessionKey
    request_id: str
    """Idempotency key that two deliveries of the same request share."""
    opened: OpenedSession = field(repr=False)
    started_at: float
    """Event loop time (seconds) at which the turn began."""

    is_redial: bool = False
    """Whether the session id was used by an earlier conversation, which has ended."""

    def effects_key(self, dial: int) -> str:
        """Return the idempotency key that all effects of the turn share; `dial` is the session's."""
        key = f"{self.key.subscriber_hash}/{self.key.session_hash}/{self.request_id}"
        return f"{key}/{dial}" if dial else key

    async def save(self, session: bytes | None, body: bytes) -> None:
        """Store session and body and release the lease; None ends the session."""
        await self.store.save(self.key, self.opened, self.request_id, session, body)

    async def release(self) -> None:
        """Release the lease without saving."""
        await self.store.release(self.key, self.opened)

    async def abandon(self, error: BaseException) -> None:
        """Release the session after a failure or a cancellation; delete it after an unexpected exception.

        An unexpected exception would recur on the same session (T33), so the caller starts a new one.
        """
        expected = isinstance(error, Failure | TimeoutError) or not isinstance(error, Exception)
        done = self.release() if expected else self.store.delete_session(self.key)
        await asyncio.shield(done)
