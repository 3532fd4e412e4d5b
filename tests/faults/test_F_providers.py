"""Provider failures: refusals, timeouts, lost answers, garbage; what is sent, retried, given up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flows.domain.circuit_breaker import Breaker
from flows.domain.records import Change, Errand, Notice, NoticeClass, Receipt
from gateway.delivery import route
from gateway.delivery.route import Lane, Way
from gateway.delivery.token_bucket import Bucket
from gateway.delivery.worker import Delivery
from gateway.providers._twilio.sms import Account, TwilioSms
from gateway.providers.contract import Sent
from storage.ledger.store import SqlLedger
from storage.outbox.store import SqlOutbox, State
from storage.sql.engine import connect
from storage.sql.migrate import upgrade
from tests.faultproxy import FaultProxy
from tests.faults.provider import RecordingTwilio
from tests.sql import NOW, SECRET

ANA = "+40740000101"


@dataclass
class Clock:
    """A clock that moves only by `advance`."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **how: float) -> None:
        self.now += timedelta(**how)


@dataclass
class Post:
    """An outbox worker on its own database, with recording providers at the end of its route."""

    delivery: Delivery
    ledger: SqlLedger
    outbox: SqlOutbox
    clock: Clock
    lane: Lane
    errands: list[str] = field(default_factory=list)

    async def put(self, *keys: str, kind: NoticeClass = "notice", to: str = ANA) -> None:
        notices = tuple(Notice(key, "orange-ro", to, "sms", kind, key, "ro") for key in keys)
        change = Change(f"put {keys[0]}", "orange-ro", "s", self.clock(), notices=notices)
        await self.ledger.commit(change)

    async def state(self, key: str) -> State:
        states: tuple[State, ...] = (
            *("pending", "claimed", "again", "unknown", "sent", "delivered", "failed", "dead"),
            *("expired", "opted_out"),
        )
        for state in states:
            if key in {row.key for row in await self.outbox.list_rows(state, 1000)}:
                return state
        raise AssertionError(key)

    async def rounds(self, count: int, **apart: float) -> None:
        """Deliver the given number of times and advance the clock after each."""
        for _ in range(count):
            await self.delivery.once()
            self.clock.pass_(**apart)


@asynccontextmanager
async def posted(tmp_path: Path, *urls: str, capable: bool = False, rate: float = 0) -> AsyncIterator[Post]:
    database, clock = connect(f"sqlite:///{tmp_path / 'post.db'}"), Clock()
    await upgrade(database)
    senders = [TwilioSms(Account("AC0", "t", "+40700000477", url), "https://gw.example/s", 0.5) for url in urls]
    ways = [Way(each, Breaker(f"way {i}", clock), capable) for i, each in enumerate(senders)]
    lane = Lane(tuple(ways), Bucket(rate, clock))
    ledger, outbox = SqlLedger(database, SECRET), SqlOutbox(database, SECRET)

    async def errand(errand: Errand) -> None:
        post.errands.append(errand.key)

    async def opted_out(notice: Notice, now: datetime) -> None:
        await ledger.opt_out(notice.operator, notice.to, out=True, now=now)

    delivery = Delivery(outbox, {("orange-ro", "sms"): lane}, errand, clock, opted_out)
    post = Post(delivery, ledger, outbox, clock, lane)
    try:
        yield post
    finally:
        for sender in senders:
            await sender.close()
        await database.close()


async def test_F21_retry_after_is_obeyed_and_nothing_else_is_sent_meanwhile(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url) as post:
        fake.retry_after = "30"
        fake.script.append("429")
        await post.put("first")
        await post.delivery.once()
        await post.put("second")
        await post.rounds(29, seconds=1)
        assert len(fake.requests) == 1
        await post.rounds(120, seconds=1)
        assert fake.received == {"first": 1, "second": 1}


async def test_F22_a_failing_provider_opens_the_circuit_and_drains_without_surge(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url, capable=True) as post:
        fake.script.extend(["503"] * 20)
        await post.put(*(f"p{number}" for number in range(100)))
        await post.rounds(1, seconds=1)
        burst = len(fake.requests)
        await post.rounds(4, seconds=1)
        assert burst <= route.AT_ONCE and len(fake.requests) == burst
        fake.script.clear()
        await post.rounds(400, seconds=1)
        assert set(fake.received.values()) == {1} and len(fake.received) == 100
        assert await post.state("p7") == "sent"


async def test_F22_an_open_circuit_is_probed_by_one_message_with_growing_intervals(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url, capable=True) as post:
        fake.script.extend(["503"] * 1000)
        await post.put(*(f"p{number}" for number in range(60)), kind="reply")
        await post.rounds(1)
        burst = len(fake.requests)
        await post.rounds(600, seconds=1)
        assert 5 <= len(fake.requests) - burst <= 15


async def test_a_second_provider_sends_what_the_first_refused(tmp_path: Path) -> None:
    async with RecordingTwilio() as first, RecordingTwilio() as second:
        async with posted(tmp_path, first.url, second.url) as post:
            first.script.extend(["401", "429"])
            await post.put("p", "q")
            await post.delivery.once()
    assert second.received == {"p": 1, "q": 1} and not first.received


async def test_what_the_first_may_have_accepted_never_goes_to_the_second(tmp_path: Path) -> None:
    async with RecordingTwilio() as first, RecordingTwilio() as second:
        async with posted(tmp_path, first.url, second.url) as post:
            first.script.append("reset")
            await post.put("p")
            await post.delivery.once()
            assert await post.state("p") == "unknown"
    assert not second.requests


@pytest.mark.parametrize(("kind", "sends"), [("code", 1), ("reply", 1), ("notice", 2), ("campaign", 1)])
async def test_F23_an_answer_that_is_lost_is_unknown_and_its_class_decides(
    tmp_path: Path, kind: NoticeClass, sends: int
) -> None:
    async with RecordingTwilio(capable=False) as fake, FaultProxy(int(fake.url.rpartition(":")[2])) as proxy:
        async with posted(tmp_path, f"http://127.0.0.1:{proxy.port}") as post:
            proxy.toxics.reset_peer = True
            await post.put("p", kind=kind)
            await post.delivery.once()
            assert await post.state("p") == "unknown"
            await post.rounds(40, minutes=1)
    assert fake.received["p"] == sends


async def test_F24_a_hanging_send_times_out_and_delays_no_other(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url) as post:
        fake.script.append("hang")
        await post.put("silent", "heard")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await post.delivery.once()
        assert loop.time() - began < 3
        assert [await post.state(key) for key in ("silent", "heard")] == ["unknown", "sent"]


async def test_F25_garbage_after_a_success_is_unknown_not_failed(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url) as post:
        fake.script.append("garbage")
        await post.put("p")
        await post.delivery.once()
        assert await post.state("p") == "unknown"


async def test_F26_a_receipt_before_the_answer_is_matched_later(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url) as post:
        fake.wait_seconds = 0.2
        await post.put("p")
        sending = asyncio.create_task(post.delivery.once())
        await fake.busy()
        early = Receipt("twilio", f"SM{1:032x}", "delivered", "delivered", our_id="p")
        await post.outbox.receipt(early, post.clock())
        await sending
        assert await post.state("p") == "delivered"


async def test_F36_a_poison_message_is_dead_lettered_and_the_queue_moves_on(tmp_path: Path) -> None:
    async with RecordingTwilio() as fake, posted(tmp_path, fake.url) as post:
        post.delivery.lanes = {("orange-ro", "sms"): replace(post.lane, ways=(poisoned(post.lane.ways[0]),))}
        await post.put("bad", "good")
        await post.rounds(10, minutes=1)
        assert [await post.state(key) for key in ("bad", "good")] == ["dead", "sent"]
        (row,) = await post.outbox.list_rows("dead", 10)
        post.delivery.lanes = {("orange-ro", "sms"): post.lane}
        assert row.attempt <= 5 and await post.outbox.replay(row.id, post.clock())
        await post.delivery.once()
        assert fake.received == {"bad": 1, "good": 1}


def poisoned(way: Way) -> Way:
    return replace(way, sender=Choking(way.sender.send))


@dataclass
class Choking:
    """A sender with a bug that one message body triggers."""

    good: Callable[[Notice], Awaitable[Sent]]

    async def send(self, notice: Notice) -> Sent:
        if notice.body == "bad":
            raise ZeroDivisionError
        return await self.good(notice)

    async def close(self) -> None: ...
