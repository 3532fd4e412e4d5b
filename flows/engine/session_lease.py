"""Session lease of one turn: the session of one inbound event, until it is saved or released."""

import asyncio
from collections.abc import Awaitable
from dataclasses import field

from flows.domain.failures import Failure
from flows.domain.ports import OpenedSession, SessionKey, SessionStore
from flows.engine.inbound import Inbound
from flows.engine.replay import has_no_request_id
from menus.model.reply import Reply, encode_reply
from menus.model.session import Session
from menus.model.value import value_dataclass


@value_dataclass
class SessionLease:
    """An inbound event with its session: leased, or recalled without a lease."""

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

    def effects_key(self, session: Session) -> str:
        """Return the idempotency key that all effects of this turn of the session share."""
        key = f"{self.key.subscriber_hash}/{self.key.session_hash}/{self.request_id}"
        if has_no_request_id(self.inbound):  # the same key pressed later in the session is another request
            key = f"{key}/{session.turn}"
        return f"{key}/{session.dial}" if session.dial else key

    def save(self, session: bytes | None, reply: Reply, *, can_resume: bool) -> Awaitable[bool]:
        """Store session and reply and release the lease; session None ends it. See `SessionStore.save`."""
        body = encode_reply(reply)
        return self.store.save(self.key, self.opened, self.request_id, session, body, can_resume=can_resume)

    async def release(self) -> None:
        """Release the lease without saving; a recalled session has none."""
        if not self.opened.is_recalled:
            await self.store.release(self.key, self.opened)

    async def abandon(self, error: BaseException) -> None:
        """Release the session after a failure or a cancellation; delete it after an unexpected exception.

        An unexpected exception would recur on the same session (T33), so the caller starts a new one.
        """
        expected = isinstance(error, Failure | TimeoutError) or not isinstance(error, Exception)
        done = self.release() if expected else self.store.delete_session(self.key)
        await asyncio.shield(done)
