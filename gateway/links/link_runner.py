"""Link runner: all slots a process may hold, from start to drain."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.links.link_pool import LinkPool
from gateway.links.slot_owner import SlotOwner


@dataclass(slots=True)
class LinkRunner:
    """Runs the owners of all slots side by side."""

    owners: Sequence[SlotOwner] = field(repr=False)
    pool: LinkPool = field(repr=False)
    stop_event: asyncio.Event = field(repr=False)

    async def run(self) -> None:
        """Hold what slots can be had, until `stop`; return once all links are drained and closed."""
        async with asyncio.TaskGroup() as group:
            for owner in self.owners:
                group.create_task(owner.run())
            await self.stop_event.wait()

    def stop(self) -> None:
        """Drain the links and free their slots."""
        self.stop_event.set()
