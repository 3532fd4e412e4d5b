"""Outbound routes: rate limit, circuit breaker, concurrency limit and bulk calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from flows.domain.circuit_breaker import FAILURES, FIRST_WAIT, Breaker
from flows.domain.failures import Misconfigured, OptedOut, TryLater, Undelivered
from flows.domain.records import Change, Errand, Notice
from gateway.delivery.route import Lane, Room, Way
from gateway.delivery.spend_limit import thrifty
from gateway.delivery.token_bucket import Bucket
from gateway.delivery.worker import ERRANDS_AT_ONCE
from gateway.providers.contract import Sender, Sent
from storage.outbox.sms_spend import SqlSpending
from storage.sql.engine import connect
from tests.faults.test_F_providers import ANA, Clock, Post, posted


@dataclass
class Bulk:
    """A bulk provider that answers as it is told."""

    calls: list[list[str]] = field(default_factory=list)
    failures: dict[str, Undelivered] = field(default_factory=dict)

    async def send(self, notice: Notice) -> Sent:
        outcome = (await self.send_many([notice]))[0]
        if isinstance(outcome, Undelivered):
            raise outcome
        return outcome

    async def send_many(self, notices: Sequence[Notice]) -> list[Sent | Undelivered]:
        self.calls.append([notice.to for notice in notices])
        return [self.failures.get(each.to) or Sent("bulk", f"id-{each.key}") for each in notices]

    async def close(self) -> None: ...


def by(post: Post, sender: Sender, **how: object) -> Post:
    """Replace the sender at the end of the route."""
    lane = replace(post.lane, ways=(Way(sender, Breaker("bulk", post.clock)),), **how)  # type: ignore[arg-type]
    post.delivery.lanes = {("orange-ro", "sms"): lane}
    return post


async def numbered(post: Post, count: int, body: str) -> None:
    """Return notices with one body for the given number of recipients."""
    notices = tuple(
        Notice(f"{body}{n}", "orange-ro", f"+407400001{n:02}", "sms", "notice", body, "ro")
        for n in range(count)
    )
    await post.ledger.commit(Change(f"put {body}", "orange-ro", "s", post.clock(), notices=notices))


async def test_equal_bodies_leave_in_one_call_and_each_has_its_own_outcome(tmp_path: Path) -> None:
    sender = Bulk(failures={"+40740000101": OptedOut()})
    async with posted(tmp_path) as post:
        await numbered(by(post, sender), 5, "equal")
        await numbered(post, 1, "other")
        await post.delivery.once()
        assert sorted(map(len, sender.calls)) == [1, 5]
        assert [await post.state(f"equal{n}") for n in (0, 1)] == ["sent", "opted_out"]


async def test_a_bulk_call_refused_by_the_database_is_retried(tmp_path: Path) -> None:
    records, sender = connect("sqlite://"), Bulk()
    await records.close()
    async with posted(tmp_path) as post:
        spending = SqlSpending(records, "orange-ro", "sms", 10)
        await numbered(by(post, thrifty(sender, "orange-ro", ("+40",), post.clock, spending)), 5, "equal")
        await post.delivery.once()
        assert [await post.state(f"equal{n}") for n in range(5)] == ["again"] * 5 and not sender.calls


async def test_who_opted_out_at_the_provider_is_remembered(tmp_path: Path) -> None:
    sender = Bulk(failures={ANA: OptedOut()})
    async with posted(tmp_path) as post:
        await by(post, sender).put("first")
        await post.delivery.once()
        await post.put("second")
        await post.delivery.once()
        assert await post.state("second") == "opted_out" and len(sender.calls) == 1


async def test_a_number_is_named_once_in_a_call(tmp_path: Path) -> None:
    sender = Bulk()
    async with posted(tmp_path) as post:
        notices = tuple(Notice(key, "orange-ro", ANA, "sms", "notice", "same", "ro") for key in "ab")
        change = Change("put", "orange-ro", "s", post.clock(), notices=notices)
        await by(post, sender).ledger.commit(change)
        await post.delivery.once()
    assert sender.calls == [[ANA], [ANA]]


async def test_sends_stay_under_the_rate_and_waiting_counts_no_attempt(tmp_path: Path) -> None:
    sender = Bulk()
    async with posted(tmp_path) as post:
        by(post, sender, bucket=Bucket(2, post.clock))
        await post.put(*(f"p{number}" for number in range(20)))
        left = []
        for _ in range(12):
            await post.delivery.once()
            left.append(len(sender.calls))
            post.clock.pass_(seconds=1)
        assert left[0] == 2 and left[-1] == 20
        assert all(after - before <= 3 for before, after in pairwise(left))
        assert {row.attempt for row in await post.outbox.list_rows("sent", 50)} == {1}


async def test_a_code_overtakes_a_campaign_that_is_over_its_rate(tmp_path: Path) -> None:
    sender = Bulk()
    async with posted(tmp_path) as post:
        by(post, sender, bucket=Bucket(1, post.clock))
        await post.put(*(f"c{number}" for number in range(50)), kind="campaign")
        await post.delivery.once()
        await post.put("code", kind="code", to="+40740000102")
        await post.rounds(3, seconds=1)
        assert await post.state("code") == "sent"


async def test_messages_of_an_open_circuit_are_not_claimed(tmp_path: Path) -> None:
    sender = Bulk()
    async with posted(tmp_path) as post:
        by(post, sender)
        post.delivery.lanes["orange-ro", "sms"].ways[0].breaker.rest(60)
        await post.put("patient")
        await post.rounds(2, seconds=1)
        assert sender.calls == [] and await post.state("patient") == "pending"
        post.clock.pass_(seconds=60)
        await post.delivery.once()
        assert await post.state("patient") == "sent"


async def test_slow_deferred_steps_delay_no_code_and_few_run_at_once(tmp_path: Path) -> None:
    running, free = [0], asyncio.Event()

    async def slow(errand: Errand) -> None:
        running[0] += 1
        await free.wait()

    async with posted(tmp_path) as post:
        sender = Bulk()
        by(post, sender).delivery.errand = slow
        errands = tuple(
            Errand(f"e{n}", "orange-ro", "s", b"{}", post.clock() + timedelta(days=1)) for n in range(40)
        )
        await post.ledger.commit(Change("put", "orange-ro", "s", post.clock(), errands=errands))
        working = asyncio.create_task(post.delivery.run())
        await post.put("code", kind="code")
        async with asyncio.timeout(10):
            while not sender.calls:  # noqa: ASYNC110 - what is waited for is in the outbox
                await asyncio.sleep(0.01)
        assert running[0] <= ERRANDS_AT_ONCE
        free.set()
        post.delivery.stop()
        await working


def test_a_breaker_opens_after_failures_in_a_row_or_at_once_and_probes_one() -> None:
    clock = Clock()
    breaker, strict = Breaker("a", clock), Breaker("b", clock)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.admits()
    breaker.failed()
    strict.failed(at_once=True)
    assert not breaker.admits() and not strict.admits()
    clock.now += FIRST_WAIT
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.worked()
    assert breaker.admits()


async def test_a_route_counts_only_failures_of_the_provider() -> None:
    clock, sender = Clock(), Bulk(failures={ANA: OptedOut()})
    way = Way(sender, Breaker("a", clock))
    lane = Lane((way,), Bucket(0, clock), Room(1))
    notice = Notice("k", "orange-ro", ANA, "sms", "notice", "b", "ro")
    for _ in range(2 * FAILURES):
        await lane.send([notice])
    assert lane.opens_at() is None
    sender.failures[ANA] = Misconfigured()
    await lane.send([notice])
    assert lane.opens_at() == clock() + FIRST_WAIT
    assert await lane.send([notice]) == [None]


async def test_retry_after_pauses_the_route() -> None:
    clock, sender = Clock(), Bulk(failures={ANA: TryLater("", 90)})
    lane = Lane((Way(sender, Breaker("a", clock)),), Bucket(0, clock))
    await lane.send([Notice("k", "orange-ro", ANA, "sms", "notice", "b", "ro")])
    assert lane.opens_at() == clock() + timedelta(seconds=90)
