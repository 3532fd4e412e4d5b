"""Provider failures: refusals, timeouts, lost answers, garbage; what is sent, retried, given up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flows.domain.circuit_breaker import CircuitBreaker
from flows.domain.failures import OptedOut, Rejected
from flows.domain.records import ChangeSet, DeferredStep, MessageClass, OutboundMessage, Receipt
from gateway.delivery import route
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.delivery.route import OutboundRoute, RouteProvider
from gateway.delivery.token_bucket import TokenBucket
from gateway.providers._twilio.messages_api import TwilioAccount, TwilioSms
from gateway.providers.contract import SentMessage
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.sql_outbox import OutboxState, SqlOutbox
from storage.sql.engine import connect
from storage.sql.migrate import upgrade_database
from tests.support.databases import NOW, SECRET
from tests.support.fault_proxy import FaultProxy
from tests.support.faults.recording_twilio import RecordingTwilio

ANA = "+40740000101"


@dataclass
class ManualClock:
    """A clock that moves only by `advance`."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **how: float) -> None:
        self.now += timedelta(**how)


@dataclass
class DeliverySetup:
    """An outbox worker on its own database, with recording providers at the end of its route."""

    worker: OutboxWorker
    ledger: SqlLedger
    outbox: SqlOutbox
    clock: ManualClock
    route: OutboundRoute
    deferred_keys: list[str] = field(default_factory=list)

    async def enqueue_notices(self, *keys: str, kind: MessageClass = "notice", to: str = ANA) -> None:
        notices = tuple(OutboundMessage(key, "orange-ro", to, "sms", kind, key, "ro") for key in keys)
        change = ChangeSet(f"put {keys[0]}", "orange-ro", "s", self.clock(), messages=notices)
        await self.ledger.commit(change)

    async def state_of(self, key: str) -> OutboxState:
        states: tuple[OutboxState, ...] = (
            *("pending", "claimed", "again", "unknown", "sent", "delivered", "failed", "dead"),
            *("expired", "opted_out"),
        )
        for state in states:
            if key in {row.key for row in await self.outbox.list_rows(state, 1000)}:
                return state
        raise AssertionError(key)

    async def deliver_rounds(self, count: int, **apart: float) -> None:
        """Deliver the given number of times and advance the clock after each."""
        for _ in range(count):
            await self.worker.run_once()
            self.clock.advance(**apart)


@asynccontextmanager
async def open_delivery(
    tmp_path: Path, *urls: str, capable: bool = False, rate: float = 0
) -> AsyncIterator[DeliverySetup]:
    database, clock = connect(f"sqlite:///{tmp_path / 'post.db'}"), ManualClock()
    await upgrade_database(database)
    senders = [
        TwilioSms(TwilioAccount("AC0", "t", "+40700000477", url), "https://gw.example/s", 0.5) for url in urls
    ]
    ways = [RouteProvider(each, CircuitBreaker(f"way {i}", clock), capable) for i, each in enumerate(senders)]
    lane = OutboundRoute(tuple(ways), TokenBucket(rate, clock))
    ledger, outbox = SqlLedger(database, SECRET), SqlOutbox(database, SECRET)

    async def errand(errand: DeferredStep) -> None:
        post.deferred_keys.append(errand.key)

    async def record_refusal(notice: OutboundMessage, failure: Rejected, now: datetime) -> None:
        assert isinstance(failure, OptedOut)
        await ledger.set_opt_out(notice.operator, notice.to, out=True, now=now)

    delivery = OutboxWorker(outbox, {("orange-ro", "sms"): lane}, errand, clock, record_refusal)
    post = DeliverySetup(delivery, ledger, outbox, clock, lane)
    try:
        yield post
    finally:
        for sender in senders:
            await sender.close()
        await database.close()


async def test_F21_retry_after_is_obeyed_and_nothing_else_is_sent_meanwhile(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url) as post:
        fake.retry_after = "30"
        fake.script.append("429")
        await post.enqueue_notices("first")
        await post.worker.run_once()
        await post.enqueue_notices("second")
        await post.deliver_rounds(29, seconds=1)
        assert len(fake.requests) == 1
        await post.deliver_rounds(120, seconds=1)
        assert fake.received_counts == {"first": 1, "second": 1}


async def test_F22_a_failing_provider_opens_the_circuit_and_drains_without_surge(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url, capable=True) as post:
        fake.script.extend(["503"] * 20)
        await post.enqueue_notices(*(f"p{number}" for number in range(100)))
        await post.deliver_rounds(1, seconds=1)
        burst = len(fake.requests)
        await post.deliver_rounds(4, seconds=1)
        assert burst <= route.DEFAULT_CONCURRENT_CALLS and len(fake.requests) == burst
        fake.script.clear()
        await post.deliver_rounds(400, seconds=1)
        assert set(fake.received_counts.values()) == {1} and len(fake.received_counts) == 100
        assert await post.state_of("p7") == "sent"


async def test_F22_an_open_circuit_is_probed_by_one_message_with_growing_intervals(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url, capable=True) as post:
        fake.script.extend(["503"] * 1000)
        await post.enqueue_notices(*(f"p{number}" for number in range(60)), kind="reply")
        await post.deliver_rounds(1)
        burst = len(fake.requests)
        await post.deliver_rounds(600, seconds=1)
        assert 5 <= len(fake.requests) - burst <= 15


async def test_a_second_provider_sends_what_the_first_refused(tmp_path: Path) -> None:
    async with RecordingTwilio() as first, RecordingTwilio() as second:
        async with open_delivery(tmp_path, first.url, second.url) as post:
            first.script.extend(["401", "429"])
            await post.enqueue_notices("p", "q")
            await post.worker.run_once()
    assert second.received_counts == {"p": 1, "q": 1} and not first.received_counts


async def test_what_the_first_may_have_accepted_never_goes_to_the_second(tmp_path: Path) -> None:
    async with RecordingTwilio() as first, RecordingTwilio() as second:
        async with open_delivery(tmp_path, first.url, second.url) as post:
            first.script.append("reset")
            await post.enqueue_notices("p")
            await post.worker.run_once()
            assert await post.state_of("p") == "unknown"
    assert not second.requests


@pytest.mark.parametrize(("kind", "sends"), [("code", 1), ("reply", 1), ("notice", 2), ("campaign", 1)])
async def test_F23_an_answer_that_is_lost_is_unknown_and_its_class_decides(
    tmp_path: Path, kind: MessageClass, sends: int
) -> None:
    async with (
        RecordingTwilio(deduplicates=False) as fake,
        FaultProxy(int(fake.url.rpartition(":")[2])) as proxy,
    ):
        async with open_delivery(tmp_path, f"http://127.0.0.1:{proxy.port}") as post:
            proxy.toxics.reset_peer = True
            await post.enqueue_notices("p", kind=kind)
            await post.worker.run_once()
            assert await post.state_of("p") == "unknown"
            await post.deliver_rounds(40, minutes=1)
    assert fake.received_counts["p"] == sends


async def test_F24_a_hanging_send_times_out_and_delays_no_other(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url) as post:
        fake.script.append("hang")
        await post.enqueue_notices("silent", "heard")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await post.worker.run_once()
        assert loop.time() - began < 3
        assert [await post.state_of(key) for key in ("silent", "heard")] == ["unknown", "sent"]


async def test_F25_garbage_after_a_success_is_unknown_not_failed(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url) as post:
        fake.script.append("garbage")
        await post.enqueue_notices("p")
        await post.worker.run_once()
        assert await post.state_of("p") == "unknown"


async def test_F26_a_receipt_before_the_answer_is_matched_later(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url) as post:
        fake.delay_seconds = 0.2
        await post.enqueue_notices("p")
        sending = asyncio.create_task(post.worker.run_once())
        await fake.wait_for_request()
        early = Receipt("twilio", f"SM{1:032x}", "delivered", "delivered", our_id="p")
        await post.outbox.record_receipt(early, post.clock())
        await sending
        assert await post.state_of("p") == "delivered"


async def test_F36_a_poison_message_is_dead_lettered_and_the_queue_moves_on(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, open_delivery(tmp_path, fake.url) as post:
        post.worker.routes = {
            ("orange-ro", "sms"): replace(post.route, providers=(with_failing_sender(post.route.providers[0]),))
        }
        await post.enqueue_notices("bad", "good")
        await post.deliver_rounds(10, minutes=1)
        assert [await post.state_of(key) for key in ("bad", "good")] == ["dead", "sent"]
        (row,) = await post.outbox.list_rows("dead", 10)
        post.worker.routes = {("orange-ro", "sms"): post.route}
        assert row.attempt <= 5 and await post.outbox.replay_row(row.id, post.clock())
        await post.worker.run_once()
        assert fake.received_counts == {"bad": 1, "good": 1}


def with_failing_sender(way: RouteProvider) -> RouteProvider:
    return replace(way, sender=FailingSender(way.sender.send))


@dataclass
class FailingSender:
    """A sender with a bug that one message body triggers."""

    send_normally: Callable[[OutboundMessage], Awaitable[SentMessage]]

    async def send(self, notice: OutboundMessage) -> SentMessage:
        if notice.body == "bad":
            raise ZeroDivisionError
        return await self.send_normally(notice)

    async def close(self) -> None: ...
