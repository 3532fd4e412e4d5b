"""Outbound routes: rate limit, circuit breaker, concurrency limit and bulk calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from flows.domain.circuit_breaker import FAILURE_THRESHOLD, INITIAL_WAIT, CircuitBreaker
from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import Misconfigured, OptedOut, TryLater, Undelivered
from flows.domain.records import ChangeSet, DeferredStep, OutboundMessage
from gateway.delivery.outbox_worker import MAX_DEFERRED_STEPS
from gateway.delivery.route import OutboundRoute, RouteProvider
from gateway.delivery.spend_limit import limit_spending
from gateway.delivery.token_bucket import TokenBucket
from gateway.providers.contract import Sender, SentMessage
from storage.outbox.sms_spend import SqlSpendCounter
from storage.sql.engine import connect
from tests.faults.test_providers import ANA, DeliverySetup, ManualClock, open_delivery


@dataclass
class BulkProvider:
    """A bulk provider that answers as it is told."""

    calls: list[list[str]] = field(default_factory=list)
    failures: dict[str, Undelivered] = field(default_factory=dict)

    async def send(self, notice: OutboundMessage) -> SentMessage:
        outcome = (await self.send_many([notice]))[0]
        if isinstance(outcome, Undelivered):
            raise outcome
        return outcome

    async def send_many(self, notices: Sequence[OutboundMessage]) -> list[SentMessage | Undelivered]:
        self.calls.append([notice.to for notice in notices])
        return [self.failures.get(each.to) or SentMessage("bulk", f"id-{each.key}") for each in notices]

    async def close(self) -> None: ...


def with_sender(post: DeliverySetup, sender: Sender, **how: object) -> DeliverySetup:
    """Replace the sender at the end of the route."""
    lane = replace(post.route, providers=(RouteProvider(sender, CircuitBreaker("bulk", post.clock)),), **how)  # type: ignore[arg-type]
    post.worker.routes = {("orange-ro", "sms"): lane}
    return post


async def numbered_notices(post: DeliverySetup, count: int, body: str) -> None:
    """Return notices with one body for the given number of recipients."""
    notices = tuple(
        OutboundMessage(f"{body}{n}", "orange-ro", f"+407400001{n:02}", "sms", "notice", body, "ro")
        for n in range(count)
    )
    await post.ledger.commit(ChangeSet(f"put {body}", "orange-ro", "s", post.clock(), messages=notices))


async def test_equal_bodies_leave_in_one_call_and_each_has_its_own_outcome(tmp_path: Path) -> None:
    sender = BulkProvider(failures={"+40740000101": OptedOut()})
    async with open_delivery(tmp_path) as post:
        await numbered_notices(with_sender(post, sender), 5, "equal")
        await numbered_notices(post, 1, "other")
        await post.worker.run_once()
        assert sorted(map(len, sender.calls)) == [1, 5]
        assert [await post.state_of(f"equal{n}") for n in (0, 1)] == ["sent", "opted_out"]


async def test_a_bulk_call_refused_by_the_database_is_retried(tmp_path: Path) -> None:
    records, sender = connect("sqlite://"), BulkProvider()
    await records.close()
    async with open_delivery(tmp_path) as post:
        spending = SqlSpendCounter(records, "orange-ro", "sms", 10)
        await numbered_notices(
            with_sender(post, limit_spending(sender, "orange-ro", ("+40",), post.clock, spending)), 5, "equal"
        )
        await post.worker.run_once()
        assert [await post.state_of(f"equal{n}") for n in range(5)] == ["again"] * 5 and not sender.calls


async def test_who_opted_out_at_the_provider_is_remembered(tmp_path: Path) -> None:
    sender = BulkProvider(failures={ANA: OptedOut()})
    async with open_delivery(tmp_path) as post:
        await with_sender(post, sender).enqueue_notices("first")
        await post.worker.run_once()
        await post.enqueue_notices("second")
        await post.worker.run_once()
        assert await post.state_of("second") == "opted_out" and len(sender.calls) == 1


async def test_a_number_is_named_once_in_a_call(tmp_path: Path) -> None:
    sender = BulkProvider()
    async with open_delivery(tmp_path) as post:
        notices = tuple(OutboundMessage(key, "orange-ro", ANA, "sms", "notice", "same", "ro") for key in "ab")
        change = ChangeSet("put", "orange-ro", "s", post.clock(), messages=notices)
        await with_sender(post, sender).ledger.commit(change)
        await post.worker.run_once()
    assert sender.calls == [[ANA], [ANA]]


async def test_sends_stay_under_the_rate_and_waiting_counts_no_attempt(tmp_path: Path) -> None:
    sender = BulkProvider()
    async with open_delivery(tmp_path) as post:
        with_sender(post, sender, token_bucket=TokenBucket(2, post.clock))
        await post.enqueue_notices(*(f"p{number}" for number in range(20)))
        left = []
        for _ in range(12):
            await post.worker.run_once()
            left.append(len(sender.calls))
            post.clock.advance(seconds=1)
        assert left[0] == 2 and left[-1] == 20
        assert all(after - before <= 3 for before, after in pairwise(left))
        assert {row.attempt for row in await post.outbox.list_rows("sent", 50)} == {1}


async def test_a_code_overtakes_a_campaign_that_is_over_its_rate(tmp_path: Path) -> None:
    sender = BulkProvider()
    async with open_delivery(tmp_path) as post:
        with_sender(post, sender, token_bucket=TokenBucket(1, post.clock))
        await post.enqueue_notices(*(f"c{number}" for number in range(50)), kind="campaign")
        await post.worker.run_once()
        await post.enqueue_notices("code", kind="code", to="+40740000102")
        await post.deliver_rounds(3, seconds=1)
        assert await post.state_of("code") == "sent"


async def test_messages_of_an_open_circuit_are_not_claimed(tmp_path: Path) -> None:
    sender = BulkProvider()
    async with open_delivery(tmp_path) as post:
        with_sender(post, sender)
        post.worker.routes["orange-ro", "sms"].providers[0].breaker.pause_for(60)
        await post.enqueue_notices("patient")
        await post.deliver_rounds(2, seconds=1)
        assert sender.calls == [] and await post.state_of("patient") == "pending"
        post.clock.advance(seconds=60)
        await post.worker.run_once()
        assert await post.state_of("patient") == "sent"


async def test_slow_deferred_steps_delay_no_code_and_few_run_at_once(tmp_path: Path) -> None:
    running, free = [0], asyncio.Event()

    async def slow(errand: DeferredStep) -> None:
        running[0] += 1
        await free.wait()

    async with open_delivery(tmp_path) as post:
        sender = BulkProvider()
        with_sender(post, sender).worker.run_deferred_step = slow
        errands = tuple(
            DeferredStep(f"e{n}", "orange-ro", "s", b"{}", post.clock() + timedelta(days=1)) for n in range(40)
        )
        await post.ledger.commit(ChangeSet("put", "orange-ro", "s", post.clock(), deferred_steps=errands))
        working = asyncio.create_task(post.worker.run())
        await post.enqueue_notices("code", kind="code")
        async with asyncio.timeout(10):
            while not sender.calls:  # noqa: ASYNC110 - what is waited for is in the outbox
                await asyncio.sleep(0.01)
        assert running[0] <= MAX_DEFERRED_STEPS
        free.set()
        post.worker.stop()
        await working


def test_a_breaker_opens_after_failures_in_a_row_or_at_once_and_probes_one() -> None:
    clock = ManualClock()
    breaker, strict = CircuitBreaker("a", clock), CircuitBreaker("b", clock)
    for _ in range(FAILURE_THRESHOLD - 1):
        breaker.record_failure()
    assert breaker.allow_request()
    breaker.record_failure()
    strict.record_failure(at_once=True)
    assert not breaker.allow_request() and not strict.allow_request()
    clock.now += INITIAL_WAIT
    assert [breaker.allow_request() for _ in range(3)] == [True, False, False]
    breaker.record_success()
    assert breaker.allow_request()


async def test_a_route_counts_only_failures_of_the_provider() -> None:
    clock, sender = ManualClock(), BulkProvider(failures={ANA: OptedOut()})
    way = RouteProvider(sender, CircuitBreaker("a", clock))
    lane = OutboundRoute((way,), TokenBucket(0, clock), ConcurrencyLimit(1))
    notice = OutboundMessage("k", "orange-ro", ANA, "sms", "notice", "b", "ro")
    for _ in range(2 * FAILURE_THRESHOLD):
        await lane.send([notice])
    assert lane.next_probe_at() is None
    sender.failures[ANA] = Misconfigured()
    await lane.send([notice])
    assert lane.next_probe_at() == clock() + INITIAL_WAIT
    assert await lane.send([notice]) == [None]


async def test_retry_after_pauses_the_route() -> None:
    clock, sender = ManualClock(), BulkProvider(failures={ANA: TryLater("", 90)})
    lane = OutboundRoute((RouteProvider(sender, CircuitBreaker("a", clock)),), TokenBucket(0, clock))
    await lane.send([OutboundMessage("k", "orange-ro", ANA, "sms", "notice", "b", "ro")])
    assert lane.next_probe_at() == clock() + timedelta(seconds=90)
