"""Outbox worker: claim due messages under a lease, send them by their route, record the outcomes."""

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
"""Messages claimed at once."""
DEEP_BATCH = 400
"""The same while the queue is deep and no message is postponed: a larger claim costs little more."""
MOST_HELD = 1000
"""Claimed messages per worker, waiting or being sent."""
ERRANDS_AT_ONCE = 8
"""Deferred steps run at once per operator, so that a slow billing backend blocks no more than this."""
POLL_SECONDS = 0.5
"""Interval of polling the outbox; wake-ups only make it faster."""
REST_SECONDS = 0.5
"""Pause after the outbox itself failed."""
RENEW_SECONDS = 1.0
"""Interval of lease renewals: two in a row may fail before a lease runs out."""
DRAIN_SECONDS = 10.0
"""Time messages being sent may still take after `stop`: longer than any call to a provider."""

Later = tuple[Parcel, datetime]
"""A message and when to claim it again."""


@dataclass(slots=True)
class Delivery:
    """One worker; several may run at once, as the outbox leases rows."""

    outbox: Outbox = field(repr=False)
    lanes: Mapping[tuple[str, str], Lane] = field(repr=False)
    """By operator and route (`sms`, `email`)."""
    errand: Callable[[Errand], Awaitable[None]] = field(repr=False)
    """Runs a deferred step."""
    now: Callable[[], datetime]
    opted_out: Callable[[Notice, datetime], Awaitable[None]] = field(repr=False)
    """Called when a provider reports that a recipient has opted out."""
    settled: Callable[[Parcel, Settlement], None] = field(default=lambda parcel, settlement: None, repr=False)
    """Called with every attempt once it is recorded."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    batch: int = BATCH
    """How many messages to claim next."""
    held: dict[int, Parcel] = field(default_factory=dict, repr=False)
    """Claimed messages by row id, whose leases are renewed."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    rooms: dict[str, Room] = field(
        default_factory=lambda: defaultdict(lambda: Room(ERRANDS_AT_ONCE)), repr=False
    )
    """Concurrency limit of deferred steps by operator."""
    handing: Together[Parcel, Collection[int]] = field(init=False, repr=False)
    """Confirms leases and marks rows as being sent; returns the ids still ours."""
    returning: Together[Later, None] = field(init=False, repr=False)
    """Gives messages back to the outbox until a later time."""

    def __post_init__(self) -> None:
        self.handing = Together(lambda parcels: self.outbox.hold(parcels, self.now(), sending=True))
        self.returning = Together(self._put_back)

    async def run(self) -> None:
        """Deliver until `stop`; then finish what is being sent, for at most `DRAIN_SECONDS`."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            while not self.stopping.is_set():
                await self._round()
            await self._drained()
            renewing.cancel()

    async def _round(self) -> None:
        """Claim a batch, or wait for work; an outbox that is unavailable is logged and retried."""
        try:
            if not await self._more():
                rest = CROWDED.total_seconds() if self._full() else POLL_SECONDS
                await self._idle(self.outbox.wait(rest))
        except Failure as failure:
            log.warning("outbox.unavailable", extra={"failure": type(failure).__name__})
            await self._idle(asyncio.sleep(REST_SECONDS))

    async def once(self) -> int:
        """Deliver one batch, wait for it and return how many messages it had."""
        count = await self._more()
        await asyncio.gather(*self.tasks)
        return count

    def stop(self) -> None:
        """Claim nothing more."""
        self.stopping.set()

    async def _more(self) -> int:
        """Claim as many messages as there is room for, start delivering them and return their number."""
        count = min(self.batch, MOST_HELD - len(self.held))
        if count <= 0:
            await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            return 1
        messages = await self.outbox.claim(count, self.now(), self._full())
        self.batch = DEEP_BATCH if len(messages) >= BATCH else BATCH
        self.held |= {message.id: message for message in messages}
        for group in trays(messages, self.lanes):
            task = asyncio.create_task(self._deliver(group))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return len(messages)

    def _full(self) -> set[tuple[str, str]]:
        """Return the routes whose notices and campaigns would only be postponed."""
        return {name for name, route in self.lanes.items() if route.full}

    async def _put_back(self, later: list[Later]) -> None:
        """Give messages back until a later time, and claim normal batches again."""
        self.batch = BATCH
        await self.outbox.put_back(later, self.now())

    async def _idle(self, rest: Awaitable[None]) -> None:
        """Wait until `rest` is over or the worker is stopped."""
        waiting = asyncio.ensure_future(rest)
        stopping = asyncio.create_task(self.stopping.wait())
        _, pending = await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _renew(self) -> None:
        """Renew the leases of claimed messages every second."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(Failure):
                if self.held:
                    await self.outbox.hold(list(self.held.values()), self.now(), sending=False)

    async def _drained(self) -> None:
        """Wait for the messages being sent, then cancel what is left."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=DRAIN_SECONDS)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _deliver(self, tray: Sequence[Parcel]) -> None:
        """Deliver one group; what cannot be recorded is claimed again once its lease runs out."""
        try:
            await self._delivered(tray)
        except Failure as failure:
            # nothing is lost: the lease runs out and the rows are claimed again
            for message in tray:
                log.error("outbox.not_recorded", extra={"row": message.id, "failure": type(failure).__name__})
        finally:
            for message in tray:
                self.held.pop(message.id, None)

    async def _delivered(self, tray: Sequence[Parcel]) -> None:
        """Run a deferred step, or send a group of notices by its route."""
        if isinstance(tray[0].item, Errand):
            await self._run(tray[0], tray[0].item)
            return
        route = self.lanes.get((tray[0].item.operator, tray[0].item.route))
        if route is None:
            failure = Misconfigured(f"no {tray[0].item.route} route for {tray[0].item.operator}")
            await self._each(self._settle(message, failure) for message in tray)
            return
        ready = await self._admitted(route, tray)
        if ready:
            async with route.room:
                await self._send(route, ready)

    async def _admitted(self, lane: Lane, tray: Sequence[Parcel]) -> list[Parcel]:
        """Return the messages that may go now; postpone the others.

        A message whose lease ran out while it was being sent has an unknown outcome and is settled as such,
        unless the route deduplicates.
        """
        if not lane.deduplicates:
            abandoned = [message for message in tray if message.lapsed]
            await self._each(self._record(each, lapsed(each, self.now())) for each in abandoned)
            tray = [message for message in tray if not message.lapsed]
        times = [(message, lane.later(_notice(message))) for message in tray]
        await self._each(self.returning.add((message, at)) for message, at in times if at is not None)
        return [message for message, at in times if at is None]

    async def _send(self, lane: Lane, tray: Sequence[Parcel]) -> None:
        """Confirm the leases, send what is still ours and record the outcomes."""
        if self.stopping.is_set():
            await self._each(self.returning.add((message, self.now())) for message in tray)
            return
        confirmed = await asyncio.gather(*(self.handing.add(message) for message in tray))
        tray = [message for message, ids in zip(tray, confirmed, strict=True) if message.id in ids]
        if not tray:
            return
        outcomes = await self._outcomes(lane, tray)
        pairs = zip(tray, outcomes, strict=True)
        await self._each(self._tell(lane, message, outcome) for message, outcome in pairs)

    async def _outcomes(self, lane: Lane, tray: Sequence[Parcel]) -> Sequence[Outcome | Settlement | None]:
        """Return the outcomes of the call; an unexpected error makes its messages dead."""
        try:
            return await lane.send([_notice(message) for message in tray])
        except Exception as error:  # outermost handler of a delivery: one bad row must not stop the others
            log.exception("delivery.failed", extra={"row": tray[0].id})
            return [Settlement("dead", reason=f"broke: {type(error).__name__}")] * len(tray)

    async def _tell(self, lane: Lane, parcel: Parcel, outcome: Outcome | Settlement | None) -> None:
        """Record the outcome of one message; without one, postpone it until a provider may be probed."""
        if outcome is None:
            await self.returning.add((parcel, lane.opens_at() or self.now() + CROWDED))
        elif isinstance(outcome, Sent):
            await self._record(parcel, Settlement("sent", outcome.provider, outcome.message_id))
        elif isinstance(outcome, Settlement):
            await self._record(parcel, outcome)
        else:
            await self._settle(parcel, outcome, repeatable=lane.deduplicates)

    async def _run(self, parcel: Parcel, errand: Errand) -> None:
        """Run a deferred step within the operator's concurrency limit and record its outcome."""
        limit = self.rooms[errand.operator]
        if limit.full:
            await self.returning.add((parcel, self.now() + timedelta(seconds=1)))
            return
        async with limit:
            try:
                await self.errand(errand)
            except Failure as failure:
                await self._settle(parcel, failure)
            except Exception as error:  # outermost handler of a deferred step
                log.exception("deferred_step.failed", extra={"row": parcel.id})
                await self._record(parcel, Settlement("dead", reason=f"broke: {type(error).__name__}"))
            else:
                await self._record(parcel, Settlement("sent"))

    async def _settle(self, parcel: Parcel, failure: Failure, *, repeatable: bool = False) -> None:
        """Record a failed attempt by the retry policy, and an opt-out the provider reported."""
        settlement = settled(parcel, failure, self.now(), repeatable=repeatable)
        if failure.logged:
            extra = {"row": parcel.id, "failure": type(failure).__name__, "state": settlement.state}
            log.warning("delivery.not_delivered", extra=extra)
        if isinstance(failure, OptedOut):
            await self.opted_out(_notice(parcel), self.now())
        await self._record(parcel, settlement)

    async def _record(self, parcel: Parcel, settlement: Settlement) -> None:
        """Record the outcome, unless another worker has taken the message over."""
        if not await self.outbox.settle(parcel, settlement, self.now()):
            log.warning("outbox.lease_lost", extra={"row": parcel.id})
            return
        self.settled(parcel, settlement)

    async def _each(self, work: Iterable[Awaitable[None]]) -> None:
        """Await all, whatever fails; then raise the first exception."""
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def _notice(parcel: Parcel) -> Notice:
    """Return the message's notice; groups never mix in deferred steps."""
    assert isinstance(parcel.item, Notice)  # noqa: S101 - groups hold notices only
    return parcel.item
