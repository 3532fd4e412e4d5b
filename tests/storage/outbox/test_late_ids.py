"""Outbox settlement: the id of a worker that lost its lease is kept, so that its message goes once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from flows.domain.records import DeliveryOutcome
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.claim import LEASE
from storage.outbox.sql_outbox import SqlOutbox
from tests.storage.outbox.test_store import (
    DELIVERED_RECEIPT,
    SENT_OUTCOME,
    build_notice,
    claim_batch,
    claim_one,
    enqueue_items,
    state_of,
)
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW

RETRY_AT = NOW + timedelta(minutes=10)


async def settle_late(outbox: SqlOutbox) -> int:
    """Claim a row twice; the second worker does not know the outcome, then the first comes back with an id."""
    paused = await claim_one(outbox)
    other = await claim_one(outbox, NOW + LEASE)
    await outbox.record_outcome(other, DeliveryOutcome("unknown", retry_at=RETRY_AT), NOW + LEASE)
    assert not await outbox.record_outcome(paused, SENT_OUTCOME, NOW + 2 * LEASE)
    return paused.id


async def test_a_late_id_keeps_the_message_from_going_twice(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    row_id = await settle_late(outbox)
    assert await state_of(outbox, row_id) == "sent"
    assert await claim_batch(outbox, RETRY_AT) == []


async def test_a_receipt_for_a_late_id_meets_its_row(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    row_id = await settle_late(outbox)
    await outbox.record_receipt(DELIVERED_RECEIPT, NOW + 3 * LEASE)
    assert await state_of(outbox, row_id) == "delivered"


async def test_a_receipt_before_the_late_id_meets_it_too(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    await outbox.record_receipt(replace(DELIVERED_RECEIPT, our_id=""), NOW)
    assert await state_of(outbox, await settle_late(outbox)) == "delivered"


async def test_an_outcome_is_recorded_although_its_caller_gave_up(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice(), build_notice("later"))
    sent, later = await outbox.claim(2, NOW)
    asyncio.ensure_future(outbox.record_outcome(sent, SENT_OUTCOME, NOW)).cancel()
    assert await outbox.record_outcome(later, SENT_OUTCOME, NOW)
    assert await state_of(outbox, sent.id) == "sent"
