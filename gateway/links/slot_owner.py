"""Slot owner: holds one link while its lease lasts, or waits for the lease (hot standby)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.domain.failures import Failure
from flows.domain.interruptible_wait import wait_or_stop
from gateway.links.link_pool import LinkPool
from gateway.providers.contract import Link
from storage.links.slot_leases import LinkSlot, SqlSlotLeases

log = logging.getLogger("dialtree.links")


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds of holding a slot; the lease itself lasts 10 (`SLOT_LEASE`)."""

    standby: float = 2.0
    """Interval of asking for a slot another process holds."""
    renewal: float = 2.0
    """Interval of renewing the lease."""
    held: float = 7.0
    """How long after the last renewal the link is closed: before the lease runs out elsewhere."""


DEFAULT_TIMES = LeaseTimes()


@dataclass(slots=True)
class SlotOwner:
    """Owns one slot: takes its lease, runs its link, closes it before the lease can pass on."""

    slot: LinkSlot
    leases: SqlSlotLeases = field(repr=False)
    open_link: Callable[[], Link] = field(repr=False)
    pool: LinkPool = field(repr=False)
    stop_event: asyncio.Event = field(repr=False)
    times: LeaseTimes = DEFAULT_TIMES
    held_until: float = 0.0
    """Loop time after which the link must not be used."""

    async def run(self) -> None:
        """Hold the slot whenever it can be had, until the stop event; then drain the link and free the slot."""
        while not self.stop_event.is_set():
            fence = await self._take_slot()
            if fence is not None:
                await self._hold_slot(fence)
            if not self.stop_event.is_set():
                await wait_or_stop(asyncio.sleep(self.times.standby), self.stop_event)

    async def _take_slot(self) -> int | None:
        """Take the slot; None when another process holds it, or the database does not answer in time."""
        began = self._time()
        try:
            fence = await self.leases.take_slot(self.slot)
        except Failure as failure:
            log.warning("link.lease_unavailable", extra=self._extra(failure=type(failure).__name__))
            return None
        self.held_until = began + self.times.held
        return fence if fence is not None and self._time() < self.held_until else None

    async def _hold_slot(self, fence: int) -> None:
        """Run the link until the lease is lost, the link breaks for good, or a stop is asked for."""
        link = self.open_link()
        log.info("link.slot_taken", extra=self._extra(row=fence))
        self.pool.links[self.slot] = link
        running, renewing = asyncio.create_task(link.run()), asyncio.create_task(self._renew_lease(fence))
        stopping = asyncio.create_task(self.stop_event.wait())
        try:
            await asyncio.wait({running, renewing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self.stop_event.is_set() and not renewing.done():
                await wait_or_stop(link.drain(), _as_event(renewing))
        finally:
            self.pool.links.pop(self.slot, None)
            for task in (running, stopping):
                task.cancel()
            results = await asyncio.gather(running, stopping, return_exceptions=True)
            await self._give_up(fence, renewing, results[0])

    async def _give_up(self, fence: int, renewing: "asyncio.Task[None]", result: object) -> None:
        """Free the slot, once the link is closed, if it is still ours; log a link that broke."""
        if isinstance(result, Exception):
            log.error("link.failed", exc_info=result, extra=self._extra())
        is_held = not renewing.done()
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        if not is_held:
            log.warning("link.lease_lost", extra=self._extra(row=fence))
            return
        try:
            await self.leases.free_slot(self.slot, fence)
        except Failure as failure:  # it runs out by itself
            log.warning("link.lease_unavailable", extra=self._extra(failure=type(failure).__name__))

    async def _renew_lease(self, fence: int) -> None:
        """Renew the lease; return when it is lost, or could not be renewed in time."""
        while True:
            await asyncio.sleep(min(self.times.renewal, max(self.held_until - self._time(), 0)))
            began = self._time()
            try:
                async with asyncio.timeout_at(self.held_until):
                    if not await self.leases.renew_slot(self.slot, fence):
                        return
                self.held_until = began + self.times.held
            except (Failure, TimeoutError) as failure:
                log.warning("link.lease_unavailable", extra=self._extra(failure=type(failure).__name__))
            if self._time() >= self.held_until:
                return

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _extra(self, **more: object) -> dict[str, object]:
        slot = self.slot
        return {"operator": slot.operator, "provider": slot.provider, "slot": slot.number, **more}


def _as_event(task: "asyncio.Task[None]") -> asyncio.Event:
    """Return an event that is set when the task ends."""
    event = asyncio.Event()
    task.add_done_callback(lambda _: event.set())
    return event
