"""Workers killed, stopped and terminated: nothing lost; nothing twice where the provider deduplicates."""

import asyncio
import signal
import time

import pytest

from flows.domain.records import MessageClass
from tests.support.faults.gateway_processes import wait_until_stopped
from tests.support.faults.harness import FaultHarness

pytestmark = [pytest.mark.postgres, pytest.mark.alone]
RECOVERY_SECONDS = 5.0


async def test_F3_worker_killed_before_send(harness: FaultHarness) -> None:
    heir = harness.start_process()
    await harness.commit_notices("first")
    await harness.provider.wait_for_message("first")
    heir.send_signal(signal.SIGSTOP)
    doomed = harness.start_process("kill@claimed")
    await harness.commit_notices("p", kind="code")
    assert await harness.wait_for_exit(doomed) == -signal.SIGKILL
    killed = time.monotonic()
    heir.send_signal(signal.SIGCONT)
    await harness.provider.wait_for_message("p")
    assert time.monotonic() - killed < RECOVERY_SECONDS


async def test_F4_worker_killed_after_send_is_no_duplicate_with_a_deduplicating_provider(
    harness: FaultHarness,
) -> None:
    doomed = harness.start_process("kill@sent")
    await harness.commit_notices("p", kind="code")
    assert await harness.wait_for_exit(doomed) == -signal.SIGKILL
    harness.start_process()
    verdict = await harness.wait_until_settled()
    assert verdict.is_exactly_once and harness.provider.received_counts["p"] == 1
    assert len(harness.provider.requests) == 2


IS_RETRIED: dict[MessageClass, bool] = {"code": False, "reply": False, "notice": True}


@pytest.mark.parametrize("kind", IS_RETRIED)
async def test_F4_without_deduplication_the_message_class_decides(
    harness: FaultHarness, kind: MessageClass
) -> None:
    harness.provider.deduplicates = False
    doomed = harness.start_process("kill@sent")
    await harness.commit_notices("p", kind=kind)
    assert await harness.wait_for_exit(doomed) == -signal.SIGKILL
    harness.start_process()
    verdict = await harness.wait_until_settled()
    (row,) = await harness.outbox.list_rows("unknown", 10)
    assert verdict.is_exactly_once and verdict.unknown_count == 1
    assert (row.due_at is not None) == IS_RETRIED[kind]
    assert len(harness.provider.requests) == 1


async def test_F7_on_sigterm_a_worker_finishes_its_sends_and_claims_no_more(harness: FaultHarness) -> None:
    harness.provider.delay_seconds = 0.5
    worker = harness.start_process()
    await harness.commit_notices(*(f"p{number}" for number in range(40)))
    await harness.provider.wait_for_request()
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(harness.wait_for_exit(worker), 10) == 0
    verdict = await harness.check_history()
    assert verdict.is_exactly_once
    assert verdict.waiting_count + harness.provider.received_counts.total() == 40
    assert "claimed" not in {row.state for row in await harness.outbox.list_rows("claimed", 100)}


async def test_F8_a_resumed_worker_sends_nothing_whose_lease_it_lost(harness: FaultHarness) -> None:
    zombie = harness.start_process("stop@claimed")
    await harness.commit_notices("p")
    await asyncio.to_thread(wait_until_stopped, zombie)
    harness.start_process()
    assert not (await harness.wait_until_settled()).lost_keys
    zombie.send_signal(signal.SIGCONT)
    await harness.commit_notices("q")
    await harness.wait_until_settled()
    assert [harness.provider.received_counts[key] for key in "pq"] == [1, 1]
    assert len(harness.provider.requests) == 2


async def test_F8_a_late_settlement_of_a_resumed_worker_is_refused(harness: FaultHarness) -> None:
    zombie = harness.start_process("stop@sent")
    await harness.commit_notices("p")
    await asyncio.to_thread(wait_until_stopped, zombie)
    harness.start_process()
    await harness.wait_until_settled()
    (heirs,) = await harness.outbox.list_rows("sent", 10)
    zombie.send_signal(signal.SIGCONT)
    zombie.send_signal(signal.SIGTERM)
    assert await harness.wait_for_exit(zombie) == 0
    (row,) = await harness.outbox.list_rows("sent", 10)
    assert (row.message_id, row.changed_at) == (heirs.message_id, heirs.changed_at)
