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


async def test_F3_worker_killed_before_send(stage: Stage) -> None:
    heir = stage.worker()
    await stage.promise("first")
    await stage.fake.hears("first")
    heir.signal(signal.SIGSTOP)
    doomed = stage.worker("kill@claimed")
    await stage.promise("p", kind="code")
    assert await stage.ended(doomed) == -signal.SIGKILL
    killed = time.monotonic()
    heir.signal(signal.SIGCONT)
    await stage.fake.hears("p")
    assert time.monotonic() - killed < RECOVERY_SECONDS


async def test_F4_worker_killed_after_send_is_no_duplicate_with_a_deduplicating_provider(stage: Stage) -> None:
    doomed = stage.worker("kill@sent")
    await stage.promise("p", kind="code")
    assert await stage.ended(doomed) == -signal.SIGKILL
    stage.worker()
    verdict = await stage.quiet()
    assert verdict.spotless and stage.fake.received["p"] == 1
    assert len(stage.fake.requests) == 2


COMES_AGAIN: dict[NoticeClass, bool] = {"code": False, "reply": False, "notice": True}


@pytest.mark.parametrize("kind", COMES_AGAIN)
async def test_F4_without_deduplication_the_message_class_decides(stage: Stage, kind: NoticeClass) -> None:
    stage.fake.capable = False
    doomed = stage.worker("kill@sent")
    await stage.promise("p", kind=kind)
    assert await stage.ended(doomed) == -signal.SIGKILL
    stage.worker()
    verdict = await stage.quiet()
    (row,) = await stage.outbox.list_rows("unknown", 10)
    assert verdict.spotless and verdict.unknown == 1
    assert (row.due_at is not None) == COMES_AGAIN[kind]
    assert len(stage.fake.requests) == 1


async def test_F7_on_sigterm_a_worker_finishes_its_sends_and_claims_no_more(stage: Stage) -> None:
    stage.fake.wait_seconds = 0.5
    worker = stage.worker()
    await stage.promise(*(f"p{number}" for number in range(40)))
    await stage.fake.busy()
    worker.signal(signal.SIGTERM)
    assert await asyncio.wait_for(stage.ended(worker), 10) == 0
    verdict = await stage.verdict()
    assert verdict.spotless
    assert verdict.waiting + stage.fake.received.total() == 40
    assert "claimed" not in {row.state for row in await stage.outbox.list_rows("claimed", 100)}


async def test_F8_a_resumed_worker_sends_nothing_whose_lease_it_lost(stage: Stage) -> None:
    zombie = stage.worker("stop@claimed")
    await stage.promise("p")
    await asyncio.to_thread(stopped, zombie)
    stage.worker()
    assert not (await stage.quiet()).lost
    zombie.signal(signal.SIGCONT)
    await stage.promise("q")
    await stage.quiet()
    assert [stage.fake.received[key] for key in "pq"] == [1, 1]
    assert len(stage.fake.requests) == 2


async def test_F8_a_late_settlement_of_a_resumed_worker_is_refused(stage: Stage) -> None:
    zombie = stage.worker("stop@sent")
    await stage.promise("p")
    await asyncio.to_thread(stopped, zombie)
    stage.worker()
    await stage.quiet()
    (heirs,) = await stage.outbox.list_rows("sent", 10)
    zombie.signal(signal.SIGCONT)
    zombie.signal(signal.SIGTERM)
    assert await stage.ended(zombie) == 0
    (row,) = await stage.outbox.list_rows("sent", 10)
    assert (row.message_id, row.changed_at) == (heirs.message_id, heirs.changed_at)
