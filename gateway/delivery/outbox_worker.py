"""Outbox worker: claim due messages under a lease, send them by their route, record the outcomes."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flows.domain.call_coalescer import CallCoalescer
from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import BookingUnconfirmed, Failure, Misconfigured, Rejected
from flows.domain.interruptible_wait import wait_or_stop
from flows.domain.ports import Outbox
from flows.domain.records import ClaimedMessage, DeferredStep, DeliveryOutcome, OutboundMessage
from flows.domain.retry import outcome_after_error, outcome_after_failure, outcome_after_lost_lease
from gateway.delivery.batching import await_all, group_for_bulk, ignore_outcome, leave_unchanged, notice_of
from gateway.delivery.outbox_outage import OutboxOutage
from gateway.delivery.route import BUSY_DELAY, OutboundRoute, SendOutcome
from gateway.providers.contract import SentMessage

log = logging.getLogger("dialtree.delivery")
BATCH_SIZE = 100
"""Messages claimed at once."""
DEEP_BATCH_SIZE = 400
"""The same while the queue is deep and no message is postponed: a larger claim costs little more."""
MAX_HELD = 1000
"""Claimed messages per worker, waiting or being sent: no more are claimed meanwhile (backpressure)."""
MAX_DEFERRED_STEPS = 8
"""Deferred steps run at once per operator, so that a slow billing backend blocks no more than this."""
POLL_SECONDS = 0.5
"""Interval of polling the outbox; wake-ups only make it faster."""
ERROR_PAUSE_SECONDS = 0.5
"""Pause after the outbox itself failed."""
LEASE_RENEWAL_SECONDS = 1.0
"""Interval of lease renewals: two in a row may fail before a lease runs out."""
DRAIN_SECONDS = 10.0
"""Time messages being sent may still take after `stop`: longer than any call to a provider."""

PostponedMessage = tuple[ClaimedMessage, datetime]  # and when to claim it again


@dataclass(slots=True)
class OutboxWorker:
    """One worker; several may run at once, as the outbox leases rows."""

    outbox: Outbox = field(repr=False)
    routes: Mapping[tuple[str, str], OutboundRoute] = field(repr=False)
    """By operator and route (`sms`, `email`)."""
    run_deferred_step: Callable[[DeferredStep], Awaitable[None]] = field(repr=False)
    """Runs a deferred step."""
    now: Callable[[], datetime]
    on_refusal: Callable[[OutboundMessage, Rejected, datetime], Awaitable[None]] = field(repr=False)
    """Called when a provider reports that a recipient cannot be reached, or has opted out."""
    on_outcome: Callable[[ClaimedMessage, DeliveryOutcome], None] = field(default=ignore_outcome, repr=False)
    """Called with every attempt once it is recorded."""
    complete_message: Callable[[OutboundMessage], Awaitable[OutboundMessage]] = field(
        default=leave_unchanged, repr=False
    )
    """Adds what is fetched just before a message is sent: the document of a bill mail."""
    choose_lanes: Callable[[], ClaimScope] = field(default=lambda: EVERYTHING, repr=False)
    """Returns the lanes this process can send now: a link's are those of the process that holds it."""
    booking_steps: Collection[str] = ()
    """Names of the deferred steps that post bookings: after a lost lease they wait for the lost one."""
    stop_event: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    batch_size: int = BATCH_SIZE
    """How many messages to claim next."""
    outage: OutboxOutage = field(default_factory=OutboxOutage, repr=False)
    held_messages: dict[int, ClaimedMessage] = field(default_factory=dict, repr=False)
    """Claimed messages by row id, whose leases are renewed."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    step_limits: dict[str, ConcurrencyLimit] = field(
        default_factory=lambda: defaultdict(lambda: ConcurrencyLimit(MAX_DEFERRED_STEPS, MAX_DEFERRED_STEPS)),
        repr=False,
    )
    """Concurrency limit of deferred steps by operator; as many may wait as may run."""
    lease_confirmer: CallCoalescer[ClaimedMessage, bool] = field(init=False, repr=False)
    """Confirms leases and marks rows as being sent; says whether each is still ours."""
    postponer: CallCoalescer[PostponedMessage, None] = field(init=False, repr=False)
    """Gives messages back to the outbox until a later time."""

    def __post_init__(self) -> None:
        self.lease_confirmer = CallCoalescer(self._confirm_batch)
        self.postponer = CallCoalescer(self._postpone_batch)

    async def run(self) -> None:
        """Deliver until `stop`; then finish what is being sent, for at most `DRAIN_SECONDS`."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew_leases())
            while not self.stop_event.is_set():
                await self._run_round()
            await self._drain_tasks()
            renewing.cancel()

    async def _run_round(self) -> None:
        """Claim a batch, or wait for work; an outbox that is unavailable is logged and retried."""
        try:
            if not await self._claim_batch():
                rest = BUSY_DELAY.total_seconds() if self._claim_scope().saturated else POLL_SECONDS
                await wait_or_stop(self.outbox.wait_for_work(rest), self.stop_event)
        except Failure as failure:
            self.outage.record_failure(failure)
            await wait_or_stop(asyncio.sleep(ERROR_PAUSE_SECONDS), self.stop_event)

    async def run_once(self) -> int:
        """Deliver one batch, wait for it and return how many messages it had."""
        count = await self._claim_batch()
        await asyncio.gather(*self.tasks)
        return count

    def stop(self) -> None:
        """Claim nothing more."""
        self.stop_event.set()

    async def _claim_batch(self) -> int:
        """Claim as many messages as there is room for, start delivering them and return their number."""
        count = min(self.batch_size, MAX_HELD - len(self.held_messages))
        if count <= 0:
            await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            return 1
        messages = await self.outbox.claim(count, self.now(), self._claim_scope())
        self.outage.record_answer()
        self.batch_size = DEEP_BATCH_SIZE if len(messages) >= BATCH_SIZE else BATCH_SIZE
        self.held_messages |= {message.id: message for message in messages}
        for group in group_for_bulk(messages, self.routes):
            task = asyncio.create_task(self.deliver_group(group))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return len(messages)

    def _claim_scope(self) -> ClaimScope:
        """Return what can be sent now; full routes take urgent notices only (backpressure)."""
        full = {name for name, route in self.routes.items() if route.is_full}
        return replace(self.choose_lanes(), saturated=full)

    async def _confirm_batch(self, messages: Sequence[ClaimedMessage]) -> Sequence[bool]:
        """Renew the leases of messages that are about to be sent; return which are still ours."""
        confirmed_ids = await self.outbox.renew_leases(messages, self.now(), sending=True)
        return [message.id in confirmed_ids for message in messages]

    async def _postpone_batch(self, postponed_messages: Sequence[PostponedMessage]) -> Sequence[None]:
        """Give messages back until a later time, and claim normal batches again."""
        self.batch_size = BATCH_SIZE
        await self.outbox.release_unsent(postponed_messages, self.now())
        return [None] * len(postponed_messages)

    async def _postpone(self, message: ClaimedMessage, until: datetime) -> None:
        """Give a message back until a later time, even if this task is cancelled meanwhile."""
        await asyncio.shield(self.postponer.submit((message, until)))

    async def _renew_leases(self) -> None:
        """Renew the leases of claimed messages every second."""
        while True:
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)
            with suppress(Failure):
                if self.held_messages:
                    await self.outbox.renew_leases(list(self.held_messages.values()), self.now(), sending=False)

    async def _drain_tasks(self) -> None:
        """Wait for the messages being sent, then cancel what is left."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=DRAIN_SECONDS)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def deliver_group(self, group: Sequence[ClaimedMessage]) -> None:
        """Deliver one group; what cannot be recorded is claimed again once its lease runs out."""
        try:
            await self._route_group(group)
        except Failure as failure:
            for message in group:
                log.error("outbox.not_recorded", extra={"row": message.id, "failure": type(failure).__name__})
        finally:
            for message in group:
                self.held_messages.pop(message.id, None)

    async def _route_group(self, group: Sequence[ClaimedMessage]) -> None:
        """Run a deferred step, or send a group of notices by its route."""
        if isinstance(group[0].item, DeferredStep):
            await self._run_step(group[0], group[0].item)
            return
        route = self.routes.get((group[0].item.operator, group[0].item.route))
        if route is None:
            failure = Misconfigured(f"no {group[0].item.route} route for {group[0].item.operator}")
            await await_all(self._record_failure(message, failure) for message in group)
            return
        ready = await self._admit_messages(route, group)
        if ready:
            async with route.concurrency_limit:
                await self._send_group(route, await self._complete_group(ready))

    async def _admit_messages(
        self, route: OutboundRoute, group: Sequence[ClaimedMessage]
    ) -> list[ClaimedMessage]:
        """Return the messages that may go now; postpone the others.

        A message whose lease ran out while it was being sent has an unknown outcome and is settled as such,
        unless the route deduplicates.
        """
        if not route.deduplicates:
            abandoned = [message for message in group if message.lease_expired]
            await await_all(
                self._record_outcome(each, outcome_after_lost_lease(each, self.now())) for each in abandoned
            )
            group = [message for message in group if not message.lease_expired]
        times = [(message, route.reserve_or_delay(notice_of(message))) for message in group]
        await await_all(self._postpone(message, at) for message, at in times if at is not None)
        return [message for message, at in times if at is None]

    async def _complete_group(self, group: Sequence[ClaimedMessage]) -> list[ClaimedMessage]:
        """Return the messages with what they carry; those whose bill cannot be had now are sent later."""
        complete = []
        for message in group:
            try:
                complete.append(replace(message, item=await self.complete_message(notice_of(message))))
            except Failure as failure:
                await self._record_failure(message, failure)
        return complete

    async def _send_group(self, route: OutboundRoute, group: Sequence[ClaimedMessage]) -> None:
        """Confirm the leases, send what is still ours and record the outcomes."""
        if self.stop_event.is_set():
            await await_all(self._postpone(message, self.now()) for message in group)
            return
        confirmed = await asyncio.gather(*(self.lease_confirmer.submit(message) for message in group))
        group = [message for message, is_ours in zip(group, confirmed, strict=True) if is_ours]
        if not group:
            return
        pairs = zip(group, await self._call_route(route, group), strict=True)
        await await_all(self._apply_outcome(route, message, outcome) for message, outcome in pairs)

    async def _call_route(
        self, route: OutboundRoute, group: Sequence[ClaimedMessage]
    ) -> Sequence[SendOutcome | DeliveryOutcome | None]:
        """Return the outcomes of the call; an unexpected error makes its messages dead."""
        try:
            return await route.send([notice_of(message) for message in group])
        except Exception as error:  # outermost handler of a delivery: one bad row must not stop the others
            log.exception("delivery.failed", extra={"row": group[0].id})
            return [outcome_after_error(error)] * len(group)

    async def _apply_outcome(
        self, route: OutboundRoute, message: ClaimedMessage, outcome: SendOutcome | DeliveryOutcome | None
    ) -> None:
        """Record the outcome of one message; without one, postpone it until a provider may be probed."""
        if outcome is None:
            await self._postpone(message, route.next_probe_at() or self.now() + BUSY_DELAY)
        elif isinstance(outcome, SentMessage):
            await self._record_outcome(message, DeliveryOutcome("sent", outcome.provider, outcome.message_id))
        elif isinstance(outcome, DeliveryOutcome):
            await self._record_outcome(message, outcome)
        else:
            await self._record_failure(message, outcome, repeatable=route.deduplicates)

    async def _run_step(self, message: ClaimedMessage, step: DeferredStep) -> None:
        """Run a deferred step within the operator's concurrency limit and record its outcome."""
        limit = self.step_limits[step.operator]
        if limit.is_full:
            await self._postpone(message, self.now() + timedelta(seconds=1))
            return
        async with limit:
            try:
                if step.step in self.booking_steps:
                    await self._begin_booking(message)
                await self.run_deferred_step(step)
            except Failure as failure:
                await self._record_failure(message, failure)
            except Exception as error:  # outermost handler of a deferred step
                log.exception("deferred_step.failed", extra={"row": message.id})
                await self._record_outcome(message, outcome_after_error(error))
            else:
                await self._record_outcome(message, DeliveryOutcome("sent"))

    async def _begin_booking(self, message: ClaimedMessage) -> None:
        """Mark a booking as begun; BookingUnconfirmed when the worker that began it before lost its lease."""
        if message.lease_expired or not await self.lease_confirmer.submit(message):
            raise BookingUnconfirmed("the lease ran out during the booking")

    async def _record_failure(
        self, message: ClaimedMessage, failure: Failure, *, repeatable: bool = False
    ) -> None:
        """Record a failed attempt by the retry policy, and what the provider reported of the recipient."""
        outcome = outcome_after_failure(message, failure, self.now(), repeatable=repeatable)
        if failure.should_log:
            extra = {"row": message.id, "operator": message.item.operator, "state": outcome.state}
            what = {"failure": type(failure).__name__, "provider": outcome.provider, "reason": outcome.reason}
            log.warning("delivery.not_delivered", extra={**extra, **what})
        if isinstance(failure, Rejected) and isinstance(message.item, OutboundMessage):
            await self.on_refusal(message.item, failure, self.now())
        await self._record_outcome(message, outcome)

    async def _record_outcome(self, message: ClaimedMessage, outcome: DeliveryOutcome) -> None:
        """Record the outcome, unless another worker has taken the message over."""
        if not await self.outbox.record_outcome(message, outcome, self.now()):
            log.warning("outbox.lease_lost", extra={"row": message.id})
            return
        self.on_outcome(message, outcome)
