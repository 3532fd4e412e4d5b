"""Turn: the answer to one inbound event, which is written for the provider and then committed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

from flows.engine.reply_acknowledgement import ReplyAcknowledgement
from menus.model.reply import Reply


async def commit_nothing() -> None:
    """Store nothing: the commit of a turn that changed no session."""


async def abandon_nothing(error: BaseException) -> None:
    """Release nothing: the session of such a turn is free already."""


@dataclass(slots=True)
class Turn:
    """One answered event, used as a context manager: an error before the commit releases the session.

    Write `reply` for the provider, await `commit`, then send what was written. A repeated request gets the
    reply its first delivery was answered with, and its commit stores nothing.
    """

    reply: Reply
    commit: Callable[[], Awaitable[None]] = field(default=commit_nothing, repr=False)
    """Stores session and reply, so that a duplicate gets the same answer."""
    acknowledgement: ReplyAcknowledgement | None = field(default=None, repr=False)
    """To be completed once the answer was sent, where requests have no id of their own; None elsewhere."""
    abandon: Callable[[BaseException], Awaitable[None]] = field(default=abandon_nothing, repr=False)
    """Releases the session after a failure."""

    async def __aenter__(self) -> "Turn":
        """Return the turn, to be written and committed within the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abandon the turn when writing or committing it failed."""
        if error is not None:
            await self.abandon(error)
