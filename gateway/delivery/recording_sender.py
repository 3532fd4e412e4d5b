"""Sender for demo and tests that records messages instead of sending them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.records import OutboundMessage
from gateway.providers.contract import SentMessage

MAX_MESSAGES = 1000
"""Messages kept; the oldest are dropped first."""


@dataclass(slots=True)
class RecordingSender:
    """Keeps notices and passes each to its listeners."""

    listeners: list[Callable[[OutboundMessage], None]] = field(default_factory=list)
    messages: list[OutboundMessage] = field(default_factory=list, repr=False)

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Keep the notice and call the listeners."""
        self.messages.append(notice)
        del self.messages[:-MAX_MESSAGES]
        for listener in self.listeners:
            listener(notice)
        return SentMessage("recorder", f"rec-{notice.key}")

    async def close(self) -> None:
        """Do nothing: no resources are held."""
