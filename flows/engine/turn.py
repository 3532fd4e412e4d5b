"""Turn: the answer to one inbound event, which is written for the provider and then committed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

from menus.model.reply import Reply


async def commit_nothing(body: bytes) -> None:
    """Store nothing: the commit of a turn that changed no session."""


async def abandon_nothing(error: BaseException) -> None:
    """Release nothing: the session of such a turn is free already."""


@dataclass(slots=True)
class Turn:
    """One answered event, used as a context manager: an error before the commit releases the session.

    Write `reply` for the provider, then await `commit` with the body. A repeated request has no reply:
    `stored_body` is the body its first delivery was answered with, to be sent again as it is.
    """

    reply: Reply | None = None
    stored_body: bytes | None = field(default=None, repr=False)
    commit: Callable[[bytes], Awaitable[None]] = field(default=commit_nothing, repr=False)
    """Stores session and body, so that a duplicate gets the same bytes."""
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
