"""Outbox: order, leases, fencing tokens, receipts in any order, opt-outs, erased codes, replay."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flows.domain.records import Change, Errand, Notice, NoticeClass, Parcel, Receipt, Settlement
from storage.ledger.store import SqlLedger
from storage.outbox.claim import LEASE
from storage.outbox.store import SqlOutbox, State
from storage.sql.engine import Database
from tests.sql import NOW, SECRET, dumped

ANA = "+40740000101"
SENT = Settlement("sent", "africastalking", "ATXid_1")
UNKNOWN = Settlement("unknown", "africastalking")
DELIVERED = Receipt("africastalking", "ATXid_1", "delivered", "Success")
FAILED = Receipt("africastalking", "ATXid_1", "failed", "Rejected", "UserInBlackList")
IN_TRANSIT = Receipt("africastalking", "ATXid_1", "in_transit", "Buffered")


@pytest.fixture
def outbox(database: Database) -> SqlOutbox:
    return SqlOutbox(database, SECRET)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, SECRET)


def notice(key: str = "n", kind: NoticeClass = "notice", to: str = ANA) -> Notice:
    return Notice(key, "orange-ro", to, "sms", kind, "Codul este 482913 €", "ro", subject="Factură")


async def enqueue(ledger: SqlLedger, *items: Notice | Errand) -> None:
    for item in items:
        put = Change(f"put {item.key}", "orange-ro", "s", NOW)
        if isinstance(item, Notice):
            await ledger.commit(replace(put, notices=(item,)))
        else:
            await ledger.commit(replace(put, errands=(item,)))


async def claimed(outbox: SqlOutbox, now: datetime = NOW, most: int = 100) -> list[str]:
    return [parcel.item.key for parcel in await outbox.claim(most, now)]


async def one(outbox: SqlOutbox, now: datetime = NOW) -> Parcel:
    (parcel,) = await outbox.claim(1, now)
    return parcel


async def state(outbox: SqlOutbox, row_id: int) -> State:
    row = await outbox.show(row_id)
    assert row is not None
    return row.state


async def test_what_went_in_comes_out(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    errand = Errand("e", "orange-ro", "bills.latest", b'{"a":1}', NOW + timedelta(hours=1))
    await enqueue(ledger, notice(), errand)
    parcels = {parcel.item.key: parcel for parcel in await outbox.claim(10, NOW)}
    assert parcels["n"].item == notice() and parcels["e"].item == errand
    assert [(each.fence, each.attempt, each.claimed_at) for each in parcels.values()] == [(1, 1, NOW)] * 2


async def test_codes_go_before_replies_before_notices_before_campaigns_then_by_due_time(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    early = replace(notice("n0"), due_at=NOW - timedelta(minutes=1))
    others = [notice(kind, kind) for kind in ("campaign", "notice", "reply", "code")]
    await enqueue(ledger, *others, early)
    assert await claimed(outbox, most=3) == ["code", "reply", "n0"]
    assert await claimed(outbox) == ["notice", "campaign"]


async def test_nothing_goes_before_it_is_due(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    later = NOW + timedelta(hours=1)
    await enqueue(ledger, replace(notice(), due_at=later))
    assert await claimed(outbox, later - timedelta(seconds=1)) == []
    assert await claimed(outbox, later) == ["n"]


async def test_an_expired_message_is_not_sent(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(
        ledger, replace(notice("gone"), expires_at=NOW), replace(notice("ok"), expires_at=NOW + LEASE)
    )
    assert await claimed(outbox) == ["ok"]
    assert [row.key for row in await outbox.list_rows("expired", 10)] == ["gone"]


async def test_a_retry_is_due_at_its_time(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(ledger, notice())
    at = NOW + timedelta(minutes=5)
    assert await outbox.settle(await one(outbox), Settlement("again", again_at=at, reason="429"), NOW)
    assert await claimed(outbox, at - timedelta(seconds=1)) == []
    assert (await one(outbox, at)).attempt == 2


@pytest.mark.parametrize("end", ["sent", "dead", "unknown", "expired", "opted_out"])
async def test_a_settled_message_is_never_claimed_again(outbox: SqlOutbox, ledger: SqlLedger, end: str) -> None:
    await enqueue(ledger, notice())
    await outbox.settle(await one(outbox), Settlement(end), NOW)  # type: ignore[arg-type]
    assert await claimed(outbox, NOW + timedelta(days=30)) == []


async def test_an_unknown_send_is_retried_unless_a_receipt_arrives_first(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue(ledger, notice("lost"), notice("found"))
    at = NOW + timedelta(minutes=10)
    for parcel in await outbox.claim(2, NOW):
        await outbox.settle(parcel, replace(UNKNOWN, again_at=at), NOW)
    await outbox.receipt(replace(DELIVERED, our_id="found"), NOW)
    assert await claimed(outbox, at) == ["lost"]


MOVES: list[tuple[list[Receipt], State]] = [
    ([DELIVERED], "delivered"),
    ([FAILED], "failed"),
    ([IN_TRANSIT], "sent"),
    ([IN_TRANSIT, DELIVERED, IN_TRANSIT], "delivered"),
    ([DELIVERED, FAILED], "delivered"),
    ([FAILED, DELIVERED], "failed"),
    ([DELIVERED, DELIVERED], "delivered"),
    ([replace(DELIVERED, state="unknown", raw="Strange")], "sent"),
    ([replace(DELIVERED, provider="twilio")], "sent"),
]


@pytest.mark.parametrize(("receipts", "end"), MOVES)
async def test_receipts_only_move_a_state_forward(
    outbox: SqlOutbox, ledger: SqlLedger, receipts: Sequence[Receipt], end: State
) -> None:
    await enqueue(ledger, notice())
    parcel = await one(outbox)
    await outbox.settle(parcel, SENT, NOW)
    for receipt in receipts:
        await outbox.receipt(receipt, NOW)
    assert await state(outbox, parcel.id) == end


@pytest.mark.parametrize(("receipts", "end"), MOVES)
async def test_F26_receipts_before_the_answer_end_the_same(
    outbox: SqlOutbox, ledger: SqlLedger, receipts: Sequence[Receipt], end: State
) -> None:
    await enqueue(ledger, notice())
    parcel = await one(outbox)
    for receipt in receipts:
        await outbox.receipt(receipt, NOW)
    assert await state(outbox, parcel.id) == "claimed"
    assert await outbox.settle(parcel, SENT, NOW)
    assert await state(outbox, parcel.id) == end


async def test_a_receipt_at_the_very_moment_of_the_answer_is_not_lost(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue(ledger, *(notice(f"n{number}") for number in range(40)))
    for parcel in await outbox.claim(40, NOW):
        sent = replace(SENT, message_id=parcel.item.key)
        told = replace(DELIVERED, message_id=parcel.item.key)
        await asyncio.gather(outbox.settle(parcel, sent, NOW), outbox.receipt(told, NOW))
    assert len(await outbox.list_rows("delivered", 100)) == 40


async def test_F23_an_unknown_send_is_matched_by_our_own_id(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(ledger, notice("before"), notice("after"))
    before, after = sorted(await outbox.claim(2, NOW), key=lambda parcel: parcel.item.key == "after")
    await outbox.receipt(replace(DELIVERED, message_id="ATXid_2", our_id="before"), NOW)
    await outbox.settle(before, UNKNOWN, NOW)
    await outbox.settle(after, UNKNOWN, NOW)
    await outbox.receipt(replace(DELIVERED, message_id="", our_id="after"), NOW)
    assert [await state(outbox, each.id) for each in (before, after)] == ["delivered"] * 2


@pytest.mark.parametrize(("word", "end"), [(FAILED, "sent"), (DELIVERED, "delivered")])
async def test_a_receipt_of_an_earlier_attempt_may_deliver_but_not_fail_a_later_one(
    outbox: SqlOutbox, ledger: SqlLedger, word: Receipt, end: State
) -> None:
    await enqueue(ledger, notice())
    first = await one(outbox)
    await outbox.settle(first, replace(SENT, state="again", again_at=NOW), NOW)
    second = await one(outbox)
    await outbox.settle(second, replace(SENT, message_id="ATXid_2"), NOW)
    await outbox.receipt(word, NOW)
    assert await state(outbox, second.id) == end


async def test_receipts_of_unknown_messages_are_kept_without_effect(
    outbox: SqlOutbox, database: Database
) -> None:
    hostile = Receipt("africastalking", "x" * 5000, "delivered", "\0" * 9 + "y" * 9000, "\0")
    await outbox.receipt(hostile, NOW)
    await outbox.receipt(hostile, NOW)
    assert (await dumped(database, "receipts")).count("africastalking") == 1


async def test_T34_who_opted_out_gets_codes_and_replies_only(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(ledger, *(notice(kind, kind) for kind in ("campaign", "notice", "reply", "code")))
    await enqueue(ledger, notice("another's", to="+40740000102"))
    await ledger.opt_out("orange-ro", ANA, out=True, now=NOW)
    assert await claimed(outbox) == ["code", "reply", "another's"]
    assert len(await outbox.list_rows("opted_out", 10)) == 2
    await ledger.opt_out("orange-ro", ANA, out=False, now=NOW)
    await enqueue(ledger, notice("welcome back"))
    assert await claimed(outbox) == ["welcome back"]


async def test_the_same_key_goes_out_once(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    for number in range(3):
        await ledger.commit(Change(f"k{number}", "orange-ro", "s", NOW, notices=(notice("same"),)))
    assert await claimed(outbox) == ["same"]


async def test_text_is_encrypted_and_a_settled_code_is_erased(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue(ledger, notice("c", "code"))
    assert "482913" not in await dumped(database, "outbox")
    parcel = await one(outbox)
    await outbox.settle(parcel, UNKNOWN, NOW)
    row = await outbox.show(parcel.id)
    assert row is not None and not row.readable
    assert not await outbox.replay(parcel.id, NOW)


async def test_a_code_to_be_retried_keeps_its_text(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(ledger, notice("c", "code"))
    await outbox.settle(await one(outbox), Settlement("again", again_at=NOW), NOW)
    item = (await one(outbox)).item
    assert isinstance(item, Notice) and "482913" in item.body


async def test_F36_an_undecryptable_row_is_dead_and_the_queue_moves_on(
    ledger: SqlLedger, database: Database
) -> None:
    from_another_key = SqlOutbox(database, replace(SECRET, value="another"))
    await enqueue(ledger, notice())
    assert await claimed(from_another_key) == []
    (row,) = await from_another_key.list_rows("dead", 10)
    assert row.reason == "unreadable"


async def test_a_dead_letter_is_replayed_with_its_attempts_counted_anew(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue(ledger, notice())
    parcel = await one(outbox)
    await outbox.settle(parcel, replace(SENT, state="dead", reason="poison"), NOW)
    await outbox.receipt(FAILED, NOW)
    assert await outbox.replay(parcel.id, NOW)
    again = await one(outbox)
    assert (again.attempt, again.fence, again.item) == (1, 2, notice())
    await outbox.settle(again, replace(SENT, message_id="ATXid_2"), NOW)
    assert await state(outbox, parcel.id) == "sent"


@pytest.mark.parametrize("end", ["sent", "opted_out"])
async def test_what_is_sent_or_unwanted_is_not_replayed(outbox: SqlOutbox, ledger: SqlLedger, end: str) -> None:
    await enqueue(ledger, notice())
    parcel = await one(outbox)
    await outbox.settle(parcel, Settlement(end), NOW)  # type: ignore[arg-type]
    assert not await outbox.replay(parcel.id, NOW)


async def test_purge_takes_what_is_done_and_old(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(ledger, notice("old"))
    await outbox.settle(await one(outbox), SENT, NOW)
    await enqueue(ledger, notice("waiting"))
    assert await outbox.purge(NOW) == 0
    assert await outbox.purge(NOW + timedelta(seconds=1)) == 1
    assert await claimed(outbox) == ["waiting"]


async def test_show_of_nothing_is_none(outbox: SqlOutbox) -> None:
    assert await outbox.show(1) is None


async def test_listing_shows_no_text_and_no_number(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue(ledger, notice())
    (row,) = await outbox.list_rows("pending", 1)
    assert row.to == ANA and ANA not in repr(row)


async def test_waiting_ends_with_a_wake_up(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await outbox.wait(0)
    waiting = asyncio.create_task(outbox.wait(60))
    await enqueue(ledger, notice())
    await waiting
