"""Reply acknowledgement: what tells a repeated request from the same key pressed again.

A USSD request without an id of its own that equals the one before is a repeat as long as it is unknown
whether our reply to that one was sent; afterwards it is new, since USSD alternates strictly. The doubt is
kept in the session store, so that it outlives this process; until the store knows, requests of the session
wait here.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from flows.domain.failures import Unavailable
from flows.domain.ports import SessionKey, SessionStore

log = logging.getLogger("dialtree.turn")
PendingAcknowledgements = dict[str, asyncio.Event]
"""Events set once the store knows, by session hash."""


@dataclass(slots=True)
class ReplyAcknowledgement:
    """The reply of one turn, until it was sent: `async with` it while sending.

    An error while sending leaves the doubt; so does a store that does not answer. The price is one key that
    the caller has to press again.
    """

    store: SessionStore = field(repr=False)
    key: SessionKey
    version: int
    """The session's version after the turn."""
    pending: PendingAcknowledgements = field(repr=False)
    done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def __aenter__(self) -> None:
        """Let later requests of the session wait."""
        self.pending[self.key.session_hash] = self.done

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Tell the store that the reply was sent, unless sending failed."""
        try:
            if kind is None:
                await self.store.acknowledge_reply(self.key, self.version)
        except Unavailable as failure:
            log.warning("session.acknowledge_failed", extra={"failure": type(failure).__name__})
        finally:
            self.done.set()
            if self.pending.get(self.key.session_hash) is self.done:
                del self.pending[self.key.session_hash]
