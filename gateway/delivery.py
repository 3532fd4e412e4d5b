"""Delivery: takes what is due from the outbox, hands it to its sender, records what became of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from flows.failures import Failure, Misconfigured
from flows.ports import Outbox
from flows.records import Errand, Notice, Parcel, Settlement
from flows.retry import settled
from gateway.providers.contract import Sender

log = logging.getLogger("dialtree.delivery")
BATCH = 100
POLL_SECONDS = 1.0
"""The clock is the truth, wake-ups only make it faster."""
REST_SECONDS = 0.5
"""Pause after the outbox itself failed."""


@dataclass(slots=True)
class Delivery:
    """One worker's loop. Several may run at once: the outbox leases rows."""

    outbox: Outbox = field(repr=False)
    senders: Mapping[tuple[str, str], Sender] = field(repr=False)
    """By operator and route (`sms`, `email`)."""
    errand: Callable[[Errand], Awaitable[None]] = field(repr=False)
    now: Callable[[], datetime]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until `stop`; what is under way then is finished first."""
        while not self.stopping.is_set():
            try:
                if not await self.once():
                    await self._idle()
            except Failure as failure:
                log.warning("outbox out of reach", extra={"failure": type(failure).__name__})
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), REST_SECONDS)

    async def once(self) -> int:
        """Deliver one batch; how many parcels it had."""
        parcels = await self.outbox.claim(BATCH, self.now())
        if parcels:
            async with asyncio.TaskGroup() as group:
                for parcel in parcels:
                    group.create_task(self._deliver(parcel))
        return len(parcels)

    def stop(self) -> None:
        """Take nothing more."""
        self.stopping.set()

    async def _idle(self) -> None:
        waiting = asyncio.create_task(self.outbox.wait(POLL_SECONDS))
        stopping = asyncio.create_task(self.stopping.wait())
        _, left = await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _deliver(self, parcel: Parcel) -> None:
        settlement = await self._attempt(parcel)
        try:
            await self.outbox.settle(parcel, settlement, self.now())
        except Failure as failure:
            # the lease runs out and the row comes again: recorded nowhere is never lost
            log.error("not recorded", extra={"row": parcel.id, "failure": type(failure).__name__})

    async def _attempt(self, parcel: Parcel) -> Settlement:
        try:
            return await self._send(parcel)
        except Failure as failure:
            return self._failed(parcel, failure)
        except Exception as error:  # the process edge of a delivery: one bad row must not stop the others
            log.exception("delivery broke", extra={"row": parcel.id})
            return self._failed(parcel, Misconfigured(type(error).__name__))

    async def _send(self, parcel: Parcel) -> Settlement:
        if isinstance(parcel.item, Errand):
            await self.errand(parcel.item)
            return Settlement("sent")
        sent = await self._sender(parcel.item).send(parcel.item)
        return Settlement("sent", sent.provider, sent.message_id)

    def _sender(self, notice: Notice) -> Sender:
        sender = self.senders.get((notice.operator, notice.route))
        if sender is None:
            raise Misconfigured(f"no {notice.route} route for {notice.operator}")
        return sender

    def _failed(self, parcel: Parcel, failure: Failure) -> Settlement:
        settlement = settled(parcel, failure, self.now())
        if failure.logged:
            extra = {"row": parcel.id, "failure": type(failure).__name__, "state": settlement.state}
            log.warning("not delivered", extra=extra)
        return settlement
