"""Outbox: order, leases, fencing tokens, opt-outs, erased codes, replay."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flows.domain.records import (
    ChangeSet,
    ClaimedMessage,
    DeferredStep,
    DeliveryOutcome,
    MessageClass,
    OutboundMessage,
    Receipt,
)
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox import sql_outbox
from storage.outbox.claim import LEASE
from storage.outbox.sql_outbox import OutboxState, SqlOutbox
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, dump_table

ANA = "+40740000101"
SENT_OUTCOME = DeliveryOutcome("sent", "africastalking", "ATXid_1")
UNKNOWN_OUTCOME = DeliveryOutcome("unknown", "africastalking")
DELIVERED_RECEIPT = Receipt("africastalking", "ATXid_1", "delivered", "Success")
FAILED_RECEIPT = Receipt("africastalking", "ATXid_1", "failed", "Rejected", "UserInBlackList")


@pytest.fixture
def outbox(database: Database) -> SqlOutbox:
    return SqlOutbox(database, SECRET)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, SECRET)


def build_notice(key: str = "n", kind: MessageClass = "notice", to: str = ANA) -> OutboundMessage:
    return OutboundMessage(key, "orange-ro", to, "sms", kind, "Codul este 482913 €", "ro", subject="Factură")


async def enqueue_items(ledger: SqlLedger, *items: OutboundMessage | DeferredStep) -> None:
    for item in items:
        put = ChangeSet(f"put {item.key}", "orange-ro", "s", NOW)
        if isinstance(item, OutboundMessage):
            await ledger.commit(replace(put, messages=(item,)))
        else:
            await ledger.commit(replace(put, deferred_steps=(item,)))


async def claim_batch(outbox: SqlOutbox, now: datetime = NOW, most: int = 100) -> list[str]:
    return [parcel.item.key for parcel in await outbox.claim(most, now)]


async def claim_one(outbox: SqlOutbox, now: datetime = NOW) -> ClaimedMessage:
    (parcel,) = await outbox.claim(1, now)
    return parcel


async def state_of(outbox: SqlOutbox, row_id: int) -> OutboxState:
    row = await outbox.find_row(row_id)
    assert row is not None
    return row.state


async def test_what_went_in_comes_out(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    errand = DeferredStep("e", "orange-ro", "bills.latest", b'{"a":1}', NOW + timedelta(hours=1))
    await enqueue_items(ledger, build_notice(), errand)
    parcels = {parcel.item.key: parcel for parcel in await outbox.claim(10, NOW)}
    assert parcels["n"].item == build_notice() and parcels["e"].item == errand
    assert [(each.fencing_token, each.attempt, each.claimed_at) for each in parcels.values()] == [
        (1, 1, NOW)
    ] * 2


async def test_codes_go_before_replies_before_notices_before_campaigns_then_by_due_time(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    early = replace(build_notice("n0"), due_at=NOW - timedelta(minutes=1))
    others = [build_notice(kind, kind) for kind in ("campaign", "notice", "reply", "code")]
    await enqueue_items(ledger, *others, early)
    assert await claim_batch(outbox, most=3) == ["code", "reply", "n0"]
    assert await claim_batch(outbox) == ["notice", "campaign"]


async def test_nothing_goes_before_it_is_due(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    later = NOW + timedelta(hours=1)
    await enqueue_items(ledger, replace(build_notice(), due_at=later))
    assert await claim_batch(outbox, later - timedelta(seconds=1)) == []
    assert await claim_batch(outbox, later) == ["n"]


async def test_an_expired_message_is_not_sent(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(
        ledger,
        replace(build_notice("gone"), expires_at=NOW),
        replace(build_notice("ok"), expires_at=NOW + LEASE),
    )
    assert await claim_batch(outbox) == ["ok"]
    assert [row.key for row in await outbox.list_rows("expired", 10)] == ["gone"]


async def test_a_retry_is_due_at_its_time(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    at = NOW + timedelta(minutes=5)
    assert await outbox.record_outcome(
        await claim_one(outbox), DeliveryOutcome("again", retry_at=at, reason="429"), NOW
    )
    assert await claim_batch(outbox, at - timedelta(seconds=1)) == []
    assert (await claim_one(outbox, at)).attempt == 2


@pytest.mark.parametrize("end", ["sent", "dead", "unknown", "expired", "opted_out"])
async def test_a_settled_message_is_never_claimed_again(outbox: SqlOutbox, ledger: SqlLedger, end: str) -> None:
    await enqueue_items(ledger, build_notice())
    await outbox.record_outcome(await claim_one(outbox), DeliveryOutcome(end), NOW)  # type: ignore[arg-type]
    assert await claim_batch(outbox, NOW + timedelta(days=30)) == []


async def test_T34_who_opted_out_gets_codes_and_replies_only(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, *(build_notice(kind, kind) for kind in ("campaign", "notice", "reply", "code")))
    await enqueue_items(ledger, build_notice("another's", to="+40740000102"))
    await ledger.set_opt_out("orange-ro", ANA, out=True, now=NOW)
    assert await claim_batch(outbox) == ["code", "reply", "another's"]
    assert len(await outbox.list_rows("opted_out", 10)) == 2
    await ledger.set_opt_out("orange-ro", ANA, out=False, now=NOW)
    await enqueue_items(ledger, build_notice("welcome back"))
    assert await claim_batch(outbox) == ["welcome back"]


async def test_the_same_key_goes_out_once(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    for number in range(3):
        await ledger.commit(ChangeSet(f"k{number}", "orange-ro", "s", NOW, messages=(build_notice("same"),)))
    assert await claim_batch(outbox) == ["same"]


async def test_text_is_encrypted_and_a_settled_code_is_erased(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice("c", "code"))
    assert "482913" not in await dump_table(database, "outbox")
    parcel = await claim_one(outbox)
    await outbox.record_outcome(parcel, UNKNOWN_OUTCOME, NOW)
    row = await outbox.find_row(parcel.id)
    assert row is not None and not row.readable
    assert not await outbox.replay_row(parcel.id, NOW)


async def test_a_code_to_be_retried_keeps_its_text(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice("c", "code"))
    await outbox.record_outcome(await claim_one(outbox), DeliveryOutcome("again", retry_at=NOW), NOW)
    item = (await claim_one(outbox)).item
    assert isinstance(item, OutboundMessage) and "482913" in item.body


async def test_F36_an_undecryptable_row_is_dead_and_the_queue_moves_on(
    ledger: SqlLedger, database: Database
) -> None:
    from_another_key = SqlOutbox(database, replace(SECRET, value="another"))
    await enqueue_items(ledger, build_notice())
    assert await claim_batch(from_another_key) == []
    (row,) = await from_another_key.list_rows("dead", 10)
    assert row.reason == "unreadable"


async def test_a_dead_letter_is_replayed_with_its_attempts_counted_anew(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    await outbox.record_outcome(parcel, replace(SENT_OUTCOME, state="dead", reason="poison"), NOW)
    await outbox.record_receipt(FAILED_RECEIPT, NOW)
    assert await outbox.replay_row(parcel.id, NOW)
    again = await claim_one(outbox)
    assert (again.attempt, again.fencing_token, again.item) == (1, 2, build_notice())
    await outbox.record_outcome(again, replace(SENT_OUTCOME, message_id="ATXid_2"), NOW)
    assert await state_of(outbox, parcel.id) == "sent"


@pytest.mark.parametrize("end", ["sent", "opted_out"])
async def test_what_is_sent_or_unwanted_is_not_replayed(outbox: SqlOutbox, ledger: SqlLedger, end: str) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    await outbox.record_outcome(parcel, DeliveryOutcome(end), NOW)  # type: ignore[arg-type]
    assert not await outbox.replay_row(parcel.id, NOW)


async def test_purge_takes_what_is_done_and_old(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice("old"))
    await outbox.record_outcome(await claim_one(outbox), SENT_OUTCOME, NOW)
    await enqueue_items(ledger, build_notice("waiting"))
    assert await outbox.purge_finished(NOW) == 0
    assert await outbox.purge_finished(NOW + timedelta(seconds=1)) == 1
    assert await claim_batch(outbox) == ["waiting"]


async def test_show_of_nothing_is_none(outbox: SqlOutbox) -> None:
    assert await outbox.find_row(1) is None


async def test_listing_shows_no_text_and_no_number(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    (row,) = await outbox.list_rows("pending", 1)
    assert row.to == ANA and ANA not in repr(row)


async def test_waiting_ends_with_a_wake_up(
    outbox: SqlOutbox, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_outbox, "POLL_SECONDS", 3600.0)  # only the wake-up can end the waiting
    await outbox.wait_for_work(0)
    waiting = asyncio.create_task(outbox.wait_for_work(3600))
    await enqueue_items(ledger, build_notice())
    async with asyncio.timeout(10):
        await waiting
