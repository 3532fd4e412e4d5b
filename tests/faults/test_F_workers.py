"""Workers killed, stopped and terminated: nothing lost; nothing twice where the provider deduplicates."""

import asyncio
import signal
import time

import pytest

from flows.domain.records import NoticeClass
from tests.faults.family import stopped
from tests.faults.stage import Stage

pytestmark = [pytest.mark.postgres, pytest.mark.alone]
RECOVERY_SECONDS = 5.0


async def test_F3_worker_killed_before_send(harness: Stage) -> None:
    heir = harness.worker()
    await harness.promise("first")
    await harness.fake.hears("first")
    heir.signal(signal.SIGSTOP)
    doomed = harness.worker("kill@claimed")
    await harness.promise("p", kind="code")
    assert await harness.ended(doomed) == -signal.SIGKILL
    killed = time.monotonic()
    heir.signal(signal.SIGCONT)
    await harness.fake.hears("p")
    assert time.monotonic() - killed < RECOVERY_SECONDS


async def test_F4_worker_killed_after_send_is_no_duplicate_with_a_deduplicating_provider(
    harness: Stage,
) -> None:
    doomed = harness.worker("kill@sent")
    await harness.promise("p", kind="code")
    assert await harness.ended(doomed) == -signal.SIGKILL
    harness.worker()
    verdict = await harness.quiet()
    assert verdict.spotless and harness.fake.received["p"] == 1
    assert len(harness.fake.requests) == 2


COMES_AGAIN: dict[NoticeClass, bool] = {"code": False, "reply": False, "notice": True}


@pytest.mark.parametrize("kind", COMES_AGAIN)
async def test_F4_without_deduplication_the_message_class_decides(harness: Stage, kind: NoticeClass) -> None:
    harness.fake.capable = False
    doomed = harness.worker("kill@sent")
    await harness.promise("p", kind=kind)
    assert await harness.ended(doomed) == -signal.SIGKILL
    harness.worker()
    verdict = await harness.quiet()
    (row,) = await harness.outbox.list_rows("unknown", 10)
    assert verdict.spotless and verdict.unknown == 1
    assert (row.due_at is not None) == COMES_AGAIN[kind]
    assert len(harness.fake.requests) == 1


async def test_F7_on_sigterm_a_worker_finishes_its_sends_and_claims_no_more(harness: Stage) -> None:
    harness.fake.wait_seconds = 0.5
    worker = harness.worker()
    await harness.promise(*(f"p{number}" for number in range(40)))
    await harness.fake.busy()
    worker.signal(signal.SIGTERM)
    assert await asyncio.wait_for(harness.ended(worker), 10) == 0
    verdict = await harness.verdict()
    assert verdict.spotless
    assert verdict.waiting + harness.fake.received.total() == 40
    assert "claimed" not in {row.state for row in await harness.outbox.list_rows("claimed", 100)}


async def test_F8_a_resumed_worker_sends_nothing_whose_lease_it_lost(harness: Stage) -> None:
    zombie = harness.worker("stop@claimed")
    await harness.promise("p")
    await asyncio.to_thread(stopped, zombie)
    harness.worker()
    assert not (await harness.quiet()).lost
    zombie.signal(signal.SIGCONT)
    await harness.promise("q")
    await harness.quiet()
    assert [harness.fake.received[key] for key in "pq"] == [1, 1]
    assert len(harness.fake.requests) == 2


async def test_F8_a_late_settlement_of_a_resumed_worker_is_refused(harness: Stage) -> None:
    zombie = harness.worker("stop@sent")
    await harness.promise("p")
    await asyncio.to_thread(stopped, zombie)
    harness.worker()
    await harness.quiet()
    (heirs,) = await harness.outbox.list_rows("sent", 10)
    zombie.signal(signal.SIGCONT)
    zombie.signal(signal.SIGTERM)
    assert await harness.ended(zombie) == 0
    (row,) = await harness.outbox.list_rows("sent", 10)
    assert (row.message_id, row.changed_at) == (heirs.message_id, heirs.changed_at)
