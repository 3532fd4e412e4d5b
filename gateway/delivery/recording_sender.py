"""The recorder: stands in for a provider in the demo; what it is given is kept, and told to whoever listens."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.records import Notice
from gateway.providers.contract import Sent

MOST = 1000
"""Messages kept; the oldest go first."""


@dataclass(slots=True)
class Recorder:
    """A sender that reaches nobody."""

    listeners: list[Callable[[Notice], None]] = field(default_factory=list)
    messages: list[Notice] = field(default_factory=list, repr=False)

    async def send(self, notice: Notice) -> Sent:
        """Keep it and tell the listeners."""
        self.messages.append(notice)
        del self.messages[:-MOST]
        for listener in self.listeners:
            listener(notice)
        return Sent("recorder", f"rec-{notice.key}")

    async def close(self) -> None:
        """Nothing to give back."""
