"""Outbox delivery receipts: in any order, before the answer, of an earlier attempt, of unknown messages."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from flows.domain.records import DeliveryOutcome, Receipt
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.sql_outbox import OutboxState, SqlOutbox
from storage.sql.engine import Database
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
from tests.support.databases import NOW, count_rows, dump_table

UNKNOWN_OUTCOME = DeliveryOutcome("unknown", "africastalking")
FAILED_RECEIPT = Receipt("africastalking", "ATXid_1", "failed", "Rejected", "UserInBlackList")
IN_TRANSIT_RECEIPT = Receipt("africastalking", "ATXid_1", "in_transit", "Buffered")


async def test_an_unknown_send_is_retried_unless_a_receipt_arrives_first(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue_items(ledger, build_notice("lost"), build_notice("found"))
    at = NOW + timedelta(minutes=10)
    for parcel in await outbox.claim(2, NOW):
        await outbox.record_outcome(parcel, replace(UNKNOWN_OUTCOME, retry_at=at), NOW)
    await outbox.record_receipt(replace(DELIVERED_RECEIPT, our_id="found"), NOW)
    assert await claim_batch(outbox, at) == ["lost"]


RECEIPT_CASES: list[tuple[list[Receipt], OutboxState]] = [
    ([DELIVERED_RECEIPT], "delivered"),
    ([FAILED_RECEIPT], "failed"),
    ([IN_TRANSIT_RECEIPT], "sent"),
    ([IN_TRANSIT_RECEIPT, DELIVERED_RECEIPT, IN_TRANSIT_RECEIPT], "delivered"),
    ([DELIVERED_RECEIPT, FAILED_RECEIPT], "delivered"),
    ([FAILED_RECEIPT, DELIVERED_RECEIPT], "failed"),
    ([DELIVERED_RECEIPT, DELIVERED_RECEIPT], "delivered"),
    ([replace(DELIVERED_RECEIPT, state="unknown", raw="Strange")], "sent"),
    ([replace(DELIVERED_RECEIPT, provider="twilio")], "sent"),
]


@pytest.mark.parametrize(("receipts", "end"), RECEIPT_CASES)
async def test_receipts_only_move_a_state_forward(
    outbox: SqlOutbox, ledger: SqlLedger, receipts: Sequence[Receipt], end: OutboxState
) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    await outbox.record_outcome(parcel, SENT_OUTCOME, NOW)
    for receipt in receipts:
        await outbox.record_receipt(receipt, NOW)
    assert await state_of(outbox, parcel.id) == end


@pytest.mark.parametrize(("receipts", "end"), RECEIPT_CASES)
async def test_F26_receipts_before_the_answer_end_the_same(
    outbox: SqlOutbox, ledger: SqlLedger, receipts: Sequence[Receipt], end: OutboxState
) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    for receipt in receipts:
        await outbox.record_receipt(receipt, NOW)
    assert await state_of(outbox, parcel.id) == "claimed"
    assert await outbox.record_outcome(parcel, SENT_OUTCOME, NOW)
    assert await state_of(outbox, parcel.id) == end


async def test_a_receipt_at_the_very_moment_of_the_answer_is_not_lost(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue_items(ledger, *(build_notice(f"n{number}") for number in range(40)))
    for parcel in await outbox.claim(40, NOW):
        sent = replace(SENT_OUTCOME, message_id=parcel.item.key)
        told = replace(DELIVERED_RECEIPT, message_id=parcel.item.key)
        await asyncio.gather(outbox.record_outcome(parcel, sent, NOW), outbox.record_receipt(told, NOW))
    assert len(await outbox.list_rows("delivered", 100)) == 40


async def test_F23_an_unknown_send_is_matched_by_our_own_id(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice("before"), build_notice("after"))
    before, after = sorted(await outbox.claim(2, NOW), key=lambda parcel: parcel.item.key == "after")
    await outbox.record_receipt(replace(DELIVERED_RECEIPT, message_id="ATXid_2", our_id="before"), NOW)
    await outbox.record_outcome(before, UNKNOWN_OUTCOME, NOW)
    await outbox.record_outcome(after, UNKNOWN_OUTCOME, NOW)
    await outbox.record_receipt(replace(DELIVERED_RECEIPT, message_id="", our_id="after"), NOW)
    assert [await state_of(outbox, each.id) for each in (before, after)] == ["delivered"] * 2


@pytest.mark.parametrize(("word", "end"), [(FAILED_RECEIPT, "sent"), (DELIVERED_RECEIPT, "delivered")])
async def test_a_receipt_of_an_earlier_attempt_may_deliver_but_not_fail_a_later_one(
    outbox: SqlOutbox, ledger: SqlLedger, word: Receipt, end: OutboxState
) -> None:
    await enqueue_items(ledger, build_notice())
    first = await claim_one(outbox)
    await outbox.record_outcome(first, replace(SENT_OUTCOME, state="again", retry_at=NOW), NOW)
    second = await claim_one(outbox)
    await outbox.record_outcome(second, replace(SENT_OUTCOME, message_id="ATXid_2"), NOW)
    await outbox.record_receipt(word, NOW)
    assert await state_of(outbox, second.id) == end


async def test_receipts_of_unknown_messages_are_kept_without_effect(
    outbox: SqlOutbox, database: Database
) -> None:
    hostile = Receipt("africastalking", "x" * 5000, "delivered", "\0" * 9 + "y" * 9000, "\0")
    await outbox.record_receipt(hostile, NOW)
    await outbox.record_receipt(hostile, NOW)
    assert (await dump_table(database, "receipts")).count("africastalking") == 1


OPT_OUT_REASONS = [("UserInBlackList", 1), ("21610", 1), ("Rejected", 0), ("30003", 0)]


@pytest.mark.parametrize(("reason", "opt_outs"), OPT_OUT_REASONS)
async def test_an_opt_out_told_by_a_receipt_is_remembered(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database, reason: str, opt_outs: int
) -> None:
    await enqueue_items(ledger, build_notice())
    await outbox.record_outcome(await claim_one(outbox), SENT_OUTCOME, NOW)
    for _ in range(2):
        await outbox.record_receipt(replace(FAILED_RECEIPT, reason=reason), NOW)
    assert await count_rows(database, "opt_outs") == opt_outs
    await enqueue_items(ledger, build_notice("next"))
    assert await claim_batch(outbox) == ([] if opt_outs else ["next"])


async def test_an_opt_out_told_before_the_answer_is_remembered(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    await outbox.record_receipt(FAILED_RECEIPT, NOW)
    assert await count_rows(database, "opt_outs") == 0
    await outbox.record_outcome(parcel, SENT_OUTCOME, NOW)
    row = await outbox.find_row(parcel.id)
    assert row is not None and (row.state, row.reason) == ("failed", "UserInBlackList")
    assert await count_rows(database, "opt_outs") == 1
