"""Outbox leases of both forms at once: around `dialtree db finish`, and beside the previous release."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from flows.domain.records import DeliveryOutcome
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.backlog import read_backlog
from storage.outbox.claim import LEASE
from storage.outbox.lane_pauses import PausableLane, SqlLanePauses
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database
from storage.sql.migrate import finish_upgrade
from storage.sql.outbox_schema import outbox as outbox_table
from tests.storage.outbox.conftest import turn_leases_off
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
from tests.support.databases import NOW, SECRET

SECOND = timedelta(seconds=1)
DEPLOYING = Path(__file__).parents[3] / "docs/deploying.md"
LEASE_END = NOW + LEASE
STORED = select(
    *(outbox_table.c[name] for name in ("state", "due_at", "leased_until", "fence", "attempt", "reason"))
)
CLAIM_OF_0_2_0 = update(outbox_table).values(state="claimed", fence=1, attempt=1, due_at=LEASE_END, reason="")
SwitchForm = Callable[[], Awaitable[None]]


@pytest.fixture
def switch_form(database: Database, lease_form: str) -> SwitchForm:
    """Return what changes the form of new leases: `dialtree db finish`, or a process that has not seen it."""

    async def switch() -> None:
        await (finish_upgrade(database) if lease_form == "due_at" else turn_leases_off(database))

    return switch


async def stored_row(database: Database) -> tuple[object, ...]:
    return tuple(await database.read(lambda connection: connection.execute(STORED).one()))


async def test_a_claim_writes_the_lease_where_the_form_has_it(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database, lease_form: str
) -> None:
    await enqueue_items(ledger, build_notice())
    await claim_one(outbox)
    expected = ("claimed", LEASE_END, None) if lease_form == "due_at" else ("pending", NOW, LEASE_END)
    assert await stored_row(database) == (*expected, 1, 1, "")


async def test_a_lease_is_held_renewed_and_ended_after_the_form_changed(
    outbox: SqlOutbox, ledger: SqlLedger, switch_form: SwitchForm
) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    await switch_form()
    assert await claim_batch(outbox, LEASE_END - SECOND) == []
    assert await outbox.renew_leases([message], LEASE_END - SECOND, sending=False) == {message.id}
    assert await claim_batch(outbox, LEASE_END + 2 * SECOND) == []
    assert await outbox.renew_leases([message], LEASE_END + 2 * SECOND, sending=True) == {message.id}
    assert await claim_batch(outbox, LEASE_END + 5 * SECOND) == []
    heir = await claim_one(outbox, LEASE_END + 6 * SECOND)
    assert heir.lease_expired and (heir.fencing_token, heir.attempt) == (2, 2)
    assert not await outbox.record_outcome(message, SENT_OUTCOME, LEASE_END)
    assert await outbox.record_outcome(heir, SENT_OUTCOME, LEASE_END)
    assert await claim_batch(outbox, NOW + timedelta(days=1)) == []


async def test_a_row_is_settled_after_the_form_changed(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database, switch_form: SwitchForm
) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    await switch_form()
    later = DeliveryOutcome("again", "africastalking", retry_at=NOW + SECOND, reason="busy")
    assert await outbox.record_outcome(message, later, NOW)
    assert await stored_row(database) == ("again", NOW + SECOND, None, 1, 1, "busy")


async def test_a_row_is_released_after_the_form_changed(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database, switch_form: SwitchForm
) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    await switch_form()
    await outbox.release_unsent([(message, NOW + SECOND)], NOW)
    assert await stored_row(database) == ("again", NOW + SECOND, None, 1, 0, "")


async def test_a_row_is_taken_back_after_the_form_changed(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database, switch_form: SwitchForm
) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    await switch_form()
    assert await SqlLanePauses(database, SECRET).take_back(PausableLane("orange-ro", "notice", "sms"), NOW) == 1
    assert await stored_row(database) == ("again", NOW, None, 2, 0, "")
    assert await outbox.renew_leases([message], NOW, sending=True) == set()


async def test_a_claim_of_the_previous_release_is_respected_and_inherited(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    await database.write(lambda connection: connection.execute(CLAIM_OF_0_2_0))
    assert await claim_batch(outbox, LEASE_END - SECOND) == []
    heir = await claim_one(outbox, LEASE_END)
    assert (heir.fencing_token, heir.lease_expired) == (2, False)
    assert await outbox.record_outcome(heir, SENT_OUTCOME, LEASE_END)


async def test_the_statement_for_a_rollback_moves_leases_to_where_the_previous_release_reads_them(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    await claim_one(outbox)
    (statement,) = re.findall(r'"(UPDATE outbox [^"]+)"', DEPLOYING.read_text())
    await database.write(lambda connection: connection.execute(text(statement)))
    assert await stored_row(database) == ("claimed", LEASE_END, None, 1, 1, "")


async def test_a_leased_row_is_shown_as_claimed_until_its_lease_ends(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    row = await outbox.find_row(message.id)
    assert row is not None and (row.state, row.due_at) == ("claimed", LEASE_END)
    assert [each.id for each in await outbox.list_rows("claimed", 10)] == [message.id]
    assert await outbox.list_rows("pending", 10) == []
    assert await outbox.find_state("n") == "claimed"
    counts = (await read_backlog(database, NOW)).counts
    assert (counts["claimed"], counts["pending"]) == (1, 0)


async def test_a_message_of_unknown_outcome_that_is_tried_again_is_claimed_and_nothing_else(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    unknown = DeliveryOutcome("unknown", "africastalking", retry_at=NOW)
    assert await outbox.record_outcome(await claim_one(outbox), unknown, NOW)
    message = await claim_one(outbox)
    assert not await outbox.replay_row(message.id, NOW)
    assert await SqlLanePauses(database, SECRET).cancel(PausableLane("orange-ro", "notice", "sms"), NOW) == 1
    assert not await outbox.record_outcome(message, SENT_OUTCOME, NOW)
    assert (await read_backlog(database, NOW)).counts["unknown"] == 0


async def test_what_is_being_sent_is_not_cancelled(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    await outbox.renew_leases([message], NOW, sending=True)
    assert await SqlLanePauses(database, SECRET).cancel(PausableLane("orange-ro", "notice", "sms"), NOW) == 0
    assert await outbox.record_outcome(message, SENT_OUTCOME, NOW)


async def test_a_receipt_of_a_leased_row_waits_for_its_worker(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    unknown = DeliveryOutcome("unknown", "africastalking", "ATXid_1", retry_at=NOW)
    assert await outbox.record_outcome(await claim_one(outbox), unknown, NOW)
    message = await claim_one(outbox)
    await outbox.record_receipt(DELIVERED_RECEIPT, NOW)
    assert await state_of(outbox, message.id) == "claimed"
    assert await outbox.record_outcome(message, unknown, NOW)
    assert await state_of(outbox, message.id) == "delivered"


async def test_leased_rows_at_the_front_do_not_hide_those_behind(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, *(build_notice(f"n{number}") for number in range(9)))
    assert await claim_batch(outbox, NOW, 3) == ["n0", "n1", "n2"]
    assert await claim_batch(outbox, NOW + SECOND, 3) == ["n3", "n4", "n5"]
    assert sorted(await claim_batch(outbox, LEASE_END)) == ["n0", "n1", "n2", "n6", "n7", "n8"]
