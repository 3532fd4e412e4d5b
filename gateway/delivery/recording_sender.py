"""Sender for demo and tests that records messages instead of sending them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.records import Notice
from gateway.providers.contract import Sent

MOST = 1000
"""Messages kept; the oldest are dropped first."""


@dataclass(slots=True)
class Recorder:
    """Keeps notices and passes each to its listeners."""

    listeners: list[Callable[[Notice], None]] = field(default_factory=list)
    messages: list[Notice] = field(default_factory=list, repr=False)

    async def send(self, notice: Notice) -> Sent:
        """Keep the notice and call the listeners."""
        self.messages.append(notice)
        del self.messages[:-MOST]
        for listener in self.listeners:
            listener(notice)
        return Sent("recorder", f"rec-{notice.key}")

    async def close(self) -> None:
        """Do nothing: no resources are held."""
