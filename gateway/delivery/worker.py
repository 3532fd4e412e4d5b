"""Delivery: takes what is due from the outbox, hands it to its lane, records what became of it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flows.domain.failures import Failure, Misconfigured, OptedOut
from flows.domain.ports import Outbox
from flows.domain.records import Errand, Notice, Parcel, Settlement
from flows.domain.retry import lapsed, settled
from gateway.delivery.batching import trays
from gateway.delivery.coalescer import Together
from gateway.delivery.route import CROWDED, Lane, Outcome, Room
from gateway.providers.contract import Sent

log = logging.getLogger("dialtree.delivery")
BATCH = 100
"""Parcels claimed at once."""
DEEP_BATCH = 400
"""The same, while the queue is deep and the lanes take all that comes: a claim costs little more for it."""
MOST_HELD = 1000
"""Parcels in this worker's hands at once, waiting for a place or under way."""
ERRANDS_AT_ONCE = 8
"""Per operator: a slow billing holds up no more than this."""
POLL_SECONDS = 0.5
"""The clock is the truth, wake-ups only make it faster."""
REST_SECONDS = 0.5
"""Pause after the outbox itself failed."""
RENEW_SECONDS = 1.0
"""How often leases are renewed: twice may fail before one runs out."""
DRAIN_SECONDS = 10.0
"""What is under way may still take after `stop`: longer than any call to a provider."""

Later = tuple[Parcel, datetime]


@dataclass(slots=True)
class Delivery:
    """One worker. Several may run at once: the outbox leases rows."""

    outbox: Outbox = field(repr=False)
    lanes: Mapping[tuple[str, str], Lane] = field(repr=False)
    """By operator and route (`sms`, `email`)."""
    errand: Callable[[Errand], Awaitable[None]] = field(repr=False)
    now: Callable[[], datetime]
    opted_out: Callable[[Notice, datetime], Awaitable[None]] = field(repr=False)
    """Told when a provider says that a recipient wants nothing more."""
    settled: Callable[[Parcel, Settlement], None] = field(default=lambda parcel, settlement: None, repr=False)
    """Told of every attempt once it is recorded."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    batch: int = BATCH
    """How many to claim next."""
    held: dict[int, Parcel] = field(default_factory=dict, repr=False)
    tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    rooms: dict[str, Room] = field(
        default_factory=lambda: defaultdict(lambda: Room(ERRANDS_AT_ONCE)), repr=False
    )
    handing: Together[Parcel, Collection[int]] = field(init=False, repr=False)
    returning: Together[Later, None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.handing = Together(lambda parcels: self.outbox.hold(parcels, self.now(), sending=True))
        self.returning = Together(self._put_back)

    async def run(self) -> None:
        """Until `stop`; what is under way then is finished first, for `DRAIN_SECONDS` at most."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            while not self.stopping.is_set():
                await self._round()
            await self._drained()
            renewing.cancel()

    async def _round(self) -> None:
        try:
            if not await self._more():
                rest = CROWDED.total_seconds() if self._full() else POLL_SECONDS
                await self._idle(self.outbox.wait(rest))
        except Failure as failure:
            log.warning("outbox out of reach", extra={"failure": type(failure).__name__})
            await self._idle(asyncio.sleep(REST_SECONDS))

    async def once(self) -> int:
        """Deliver one batch and wait for it; how many parcels it had."""
        count = await self._more()
        await asyncio.gather(*self.tasks)
        return count

    def stop(self) -> None:
        """Take nothing more."""
        self.stopping.set()

    async def _more(self) -> int:
        """Claim what there is room for and set it going."""
        free = min(self.batch, MOST_HELD - len(self.held))
        if free <= 0:
            await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            return 1
        parcels = await self.outbox.claim(free, self.now(), self._full())
        self.batch = DEEP_BATCH if len(parcels) >= BATCH else BATCH
        self.held |= {parcel.id: parcel for parcel in parcels}
        for tray in trays(parcels, self.lanes):
            task = asyncio.create_task(self._deliver(tray))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return len(parcels)

    def _full(self) -> set[tuple[str, str]]:
        """The lanes whose notices and campaigns would be put back."""
        return {name for name, lane in self.lanes.items() if lane.full}

    async def _put_back(self, later: list[Later]) -> None:
        self.batch = BATCH
        await self.outbox.put_back(later, self.now())

    async def _idle(self, rest: Awaitable[None]) -> None:
        waiting = asyncio.ensure_future(rest)
        stopping = asyncio.create_task(self.stopping.wait())
        _, left = await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _renew(self) -> None:
        """Hold on to what is in our hands, so that its lease runs out only when this worker is gone."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(Failure):
                if self.held:
                    await self.outbox.hold(list(self.held.values()), self.now(), sending=False)

    async def _drained(self) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=DRAIN_SECONDS)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _deliver(self, tray: Sequence[Parcel]) -> None:
        try:
            await self._delivered(tray)
        except Failure as failure:
            # the lease runs out and the rows come again: recorded nowhere is never lost
            for parcel in tray:
                log.error("not recorded", extra={"row": parcel.id, "failure": type(failure).__name__})
        finally:
            for parcel in tray:
                self.held.pop(parcel.id, None)

    async def _delivered(self, tray: Sequence[Parcel]) -> None:
        if isinstance(tray[0].item, Errand):
            await self._run(tray[0], tray[0].item)
            return
        lane = self.lanes.get((tray[0].item.operator, tray[0].item.route))
        if lane is None:
            failure = Misconfigured(f"no {tray[0].item.route} route for {tray[0].item.operator}")
            await self._each(self._settle(parcel, failure) for parcel in tray)
            return
        ready = await self._admitted(lane, tray)
        if ready:
            async with lane.room:
                await self._send(lane, ready)

    async def _admitted(self, lane: Lane, tray: Sequence[Parcel]) -> list[Parcel]:
        """Those that may go now; the others are put back, or settled when nobody knows what became of them."""
        if not lane.deduplicates:
            silent = [parcel for parcel in tray if parcel.lapsed]
            await self._each(self._record(each, lapsed(each, self.now())) for each in silent)
            tray = [parcel for parcel in tray if not parcel.lapsed]
        times = [(parcel, lane.later(_notice(parcel))) for parcel in tray]
        await self._each(self.returning.add((parcel, at)) for parcel, at in times if at is not None)
        return [parcel for parcel, at in times if at is None]

    async def _send(self, lane: Lane, tray: Sequence[Parcel]) -> None:
        if self.stopping.is_set():
            await self._each(self.returning.add((parcel, self.now())) for parcel in tray)
            return
        ours = await asyncio.gather(*(self.handing.add(parcel) for parcel in tray))
        tray = [parcel for parcel, held in zip(tray, ours, strict=True) if parcel.id in held]
        if not tray:
            return
        outcomes = await self._outcomes(lane, tray)
        pairs = zip(tray, outcomes, strict=True)
        await self._each(self._tell(lane, parcel, outcome) for parcel, outcome in pairs)

    async def _outcomes(self, lane: Lane, tray: Sequence[Parcel]) -> Sequence[Outcome | Settlement | None]:
        try:
            return await lane.send([_notice(parcel) for parcel in tray])
        except Exception as error:  # the process edge of a delivery: one bad row must not stop the others
            log.exception("delivery broke", extra={"row": tray[0].id})
            return [Settlement("dead", reason=f"broke: {type(error).__name__}")] * len(tray)

    async def _tell(self, lane: Lane, parcel: Parcel, outcome: Outcome | Settlement | None) -> None:
        if outcome is None:
            await self.returning.add((parcel, lane.opens_at() or self.now() + CROWDED))
        elif isinstance(outcome, Sent):
            await self._record(parcel, Settlement("sent", outcome.provider, outcome.message_id))
        elif isinstance(outcome, Settlement):
            await self._record(parcel, outcome)
        else:
            await self._settle(parcel, outcome, repeatable=lane.deduplicates)

    async def _run(self, parcel: Parcel, errand: Errand) -> None:
        room = self.rooms[errand.operator]
        if room.full:
            await self.returning.add((parcel, self.now() + timedelta(seconds=1)))
            return
        async with room:
            try:
                await self.errand(errand)
            except Failure as failure:
                await self._settle(parcel, failure)
            except Exception as error:  # the process edge of an errand
                log.exception("errand broke", extra={"row": parcel.id})
                await self._record(parcel, Settlement("dead", reason=f"broke: {type(error).__name__}"))
            else:
                await self._record(parcel, Settlement("sent"))

    async def _settle(self, parcel: Parcel, failure: Failure, *, repeatable: bool = False) -> None:
        settlement = settled(parcel, failure, self.now(), repeatable=repeatable)
        if failure.logged:
            extra = {"row": parcel.id, "failure": type(failure).__name__, "state": settlement.state}
            log.warning("not delivered", extra=extra)
        if isinstance(failure, OptedOut):
            await self.opted_out(_notice(parcel), self.now())
        await self._record(parcel, settlement)

    async def _record(self, parcel: Parcel, settlement: Settlement) -> None:
        if not await self.outbox.settle(parcel, settlement, self.now()):
            log.warning("another worker took over", extra={"row": parcel.id})
            return
        self.settled(parcel, settlement)

    async def _each(self, work: Iterable[Awaitable[None]]) -> None:
        """All of it, whatever fails; then the first failure."""
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def _notice(parcel: Parcel) -> Notice:
    assert isinstance(parcel.item, Notice)  # noqa: S101 - trays never mix errands in
    return parcel.item
