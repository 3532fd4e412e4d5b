"""Outbox leases: renewed, released, expired, and what the next worker is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from flows.domain.records import ChangeSet
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.claim import LEASE
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database
from tests.storage.outbox.test_store import SENT_OUTCOME, build_notice, claim_batch, claim_one, enqueue_items
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW, SECRET

SECOND = timedelta(seconds=1)


async def test_a_lease_ends_and_the_old_fence_is_refused(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    zombie = await claim_one(outbox)
    assert await claim_batch(outbox, NOW + LEASE - timedelta(seconds=1)) == []
    heir = await claim_one(outbox, NOW + LEASE)
    assert (heir.fencing_token, heir.attempt) == (2, 2)
    assert not await outbox.record_outcome(zombie, replace(SENT_OUTCOME, message_id="zombie"), NOW + LEASE)
    assert await outbox.record_outcome(heir, SENT_OUTCOME, NOW + LEASE)
    row = await outbox.find_row(heir.id)
    assert row is not None and (row.state, row.message_id) == ("sent", "ATXid_1")


async def test_settling_twice_is_refused(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    together = await asyncio.gather(*(outbox.record_outcome(parcel, SENT_OUTCOME, NOW) for _ in range(3)))
    assert sorted(together) == [False, False, True]
    assert not await outbox.record_outcome(parcel, SENT_OUTCOME, NOW)


async def test_two_workers_never_claim_the_same_row(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    items = tuple(build_notice(f"n{number}") for number in range(300))
    await ledger.commit(ChangeSet("k", "orange-ro", "s", NOW, messages=items))
    workers = [SqlOutbox(database, SECRET) for _ in range(4)]
    batches = await asyncio.gather(*(worker.claim(50, NOW) for worker in workers * 2))
    ids = [parcel.id for batch in batches for parcel in batch]
    ids += [parcel.id for parcel in await outbox.claim(300, NOW)]
    assert len(ids) == len(set(ids)) == 300


async def test_a_renewed_lease_continues(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    parcel = await claim_one(outbox)
    assert await outbox.renew_leases([parcel], NOW + LEASE - SECOND, sending=False) == {parcel.id}
    assert await claim_batch(outbox, NOW + LEASE + SECOND) == []
    assert not (await claim_one(outbox, NOW + 2 * LEASE)).lease_expired


async def test_F8_a_lost_lease_can_be_neither_renewed_nor_released(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue_items(ledger, build_notice())
    zombie = await claim_one(outbox)
    heir = await claim_one(outbox, NOW + LEASE)
    assert await outbox.renew_leases([zombie], NOW + LEASE, sending=True) == set()
    await outbox.release_unsent([(zombie, NOW)], NOW + LEASE)
    assert await outbox.renew_leases([zombie, heir], NOW + LEASE, sending=True) == {heir.id}


async def test_F4_the_next_worker_learns_that_a_send_had_begun(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice("begun"), build_notice("not begun"))
    first, second = await outbox.claim(2, NOW)
    await outbox.renew_leases([first], NOW, sending=True)
    await outbox.renew_leases([first, second], NOW, sending=False)
    heirs = await outbox.claim(2, NOW + LEASE)
    assert [(each.item.key, each.lease_expired) for each in heirs] == [("begun", True), ("not begun", False)]
    assert await outbox.record_outcome(heirs[0], replace(SENT_OUTCOME, state="again", retry_at=NOW), NOW)
    assert not (await claim_one(outbox, NOW + LEASE)).lease_expired


async def test_a_released_message_is_due_at_its_time_and_counts_no_attempt(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    await enqueue_items(ledger, build_notice("a"), build_notice("b"))
    a, b = await outbox.claim(2, NOW)
    await outbox.release_unsent([(b, NOW + SECOND), (a, NOW + 2 * SECOND)], NOW)
    assert await claim_batch(outbox, NOW) == []
    again = await claim_one(outbox, NOW + SECOND)
    assert (again.item.key, again.attempt, again.fencing_token) == ("b", 1, 2)
    assert await claim_batch(outbox, NOW + 2 * SECOND) == ["a"]


async def test_one_message_id_for_two_rows_settles_both(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice("a"), build_notice("b"))
    both = await outbox.claim(2, NOW)
    assert all(await asyncio.gather(*(outbox.record_outcome(each, SENT_OUTCOME, NOW) for each in both)))
