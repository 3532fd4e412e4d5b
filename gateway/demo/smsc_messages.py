"""Messages of the demo, also sent over SMPP to the phone of `dialtree smsc` while that is connected."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from flows.domain.failures import Undelivered
from flows.domain.records import OutboundMessage
from gateway.links.link_pool import LinkPool, LinkSender


@dataclass(slots=True)
class SmscMessages:
    """A listener of the recording sender."""

    pool: LinkPool = field(repr=False)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set, repr=False)

    def forward_message(self, notice: OutboundMessage) -> None:
        """Send a recorded SMS by the operator's link, where it is up; the recording counts all the same."""
        if notice.route == "sms":
            task = asyncio.create_task(self._send(notice))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _send(self, notice: OutboundMessage) -> None:
        with suppress(Undelivered):
            await LinkSender(self.pool, notice.operator, "smpp").send(notice)
