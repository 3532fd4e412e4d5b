"""Lane pauses: what is paused is claimed by nobody, what is cancelled is never sent, codes always go."""

from datetime import timedelta

import pytest

from flows.domain.records import DeliveryOutcome, MessageClass, OutboundMessage
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox import lane_pauses
from storage.outbox.lane_pauses import CANCELLED, PAUSABLE_KINDS, PausableLane, SqlLanePauses
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database
from tests.storage.outbox.test_store import build_notice, claim_batch, claim_one, enqueue_items
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW, SECRET, dump_table

NOTICES = PausableLane("orange-ro", "notice", "sms")
CAMPAIGNS = PausableLane("orange-ro", "campaign", "sms")
KINDS: tuple[MessageClass, ...] = ("code", "reply", "notice", "campaign")


@pytest.fixture
def pauses(database: Database) -> SqlLanePauses:
    return SqlLanePauses(database, SECRET)


async def test_codes_and_replies_go_while_notices_are_paused(
    outbox: SqlOutbox, ledger: SqlLedger, pauses: SqlLanePauses
) -> None:
    await enqueue_items(ledger, *(build_notice(kind, kind) for kind in KINDS))
    await pauses.pause(NOTICES, NOW)
    await pauses.pause(CAMPAIGNS, NOW)
    assert await claim_batch(outbox) == ["code", "reply"]
    assert await pauses.resume(NOTICES, NOW)
    assert await claim_batch(outbox) == ["notice"]
    assert [each.lane for each in await pauses.list_pauses()] == [CAMPAIGNS]


async def test_a_pause_concerns_one_operator_and_one_route(
    outbox: SqlOutbox, ledger: SqlLedger, pauses: SqlLanePauses
) -> None:
    elsewhere = OutboundMessage("fr", "orange-fr", "+33600000101", "sms", "notice", "Facture", "fr")
    by_mail = OutboundMessage("mail", "orange-ro", "ana@example.org", "email", "notice", "Factura", "ro")
    await enqueue_items(ledger, build_notice(), elsewhere, by_mail)
    await pauses.pause(NOTICES, NOW)
    assert sorted(await claim_batch(outbox)) == ["fr", "mail"]


async def test_pausing_twice_and_resuming_twice_change_nothing(pauses: SqlLanePauses) -> None:
    await pauses.pause(NOTICES, NOW)
    await pauses.pause(NOTICES, NOW + timedelta(hours=1))
    assert [each.since for each in await pauses.list_pauses()] == [NOW]
    assert [await pauses.resume(NOTICES, NOW) for _ in range(2)] == [True, False]


async def test_what_a_worker_holds_unsent_is_taken_back_and_what_it_sends_is_not(
    outbox: SqlOutbox, ledger: SqlLedger, pauses: SqlLanePauses
) -> None:
    await enqueue_items(ledger, build_notice("held"), build_notice("sending"))
    held, sending = await outbox.claim(2, NOW)
    assert await outbox.renew_leases([sending], NOW, sending=True) == {sending.id}
    await pauses.pause(NOTICES, NOW)
    assert await pauses.take_back(NOTICES, NOW) == 1
    assert await outbox.renew_leases([held], NOW, sending=True) == set()
    assert await outbox.record_outcome(sending, DeliveryOutcome("sent", "twilio", "SM1"), NOW)
    await pauses.resume(NOTICES, NOW)
    again = await claim_one(outbox)
    assert (again.item.key, again.attempt, again.lease_expired) == ("held", 1, False)


async def test_cancelled_messages_are_closed_without_their_text_and_cannot_be_replayed(
    outbox: SqlOutbox, ledger: SqlLedger, pauses: SqlLanePauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_pauses, "BATCH_ROWS", 2)
    await enqueue_items(ledger, *(build_notice(f"n{index}") for index in range(5)), build_notice("c", "code"))
    (claimed,) = [each for each in await outbox.claim(2, NOW) if each.item.key != "c"]
    assert await pauses.cancel(NOTICES, NOW) == 5
    assert await outbox.renew_leases([claimed], NOW, sending=True) == set()
    rows = await outbox.list_rows("expired", 10)
    assert {row.reason for row in rows} == {CANCELLED} and not any(row.readable for row in rows)
    assert not await outbox.replay_row(rows[0].id, NOW)
    await enqueue_items(ledger, build_notice("n1"), build_notice("new"))
    assert await claim_batch(outbox, NOW + timedelta(days=1)) == ["c", "new"]


async def test_what_was_perhaps_sent_stays_unknown_and_is_not_tried_again(
    outbox: SqlOutbox, ledger: SqlLedger, pauses: SqlLanePauses
) -> None:
    await enqueue_items(ledger, build_notice())
    retry_at = NOW + timedelta(minutes=10)
    await outbox.record_outcome(await claim_one(outbox), DeliveryOutcome("unknown", retry_at=retry_at), NOW)
    assert await pauses.cancel(NOTICES, NOW) == 0
    assert await claim_batch(outbox, NOW + timedelta(hours=1)) == []
    assert len(await outbox.list_rows("unknown", 10)) == 1


async def test_every_command_is_in_the_audit_log(database: Database, pauses: SqlLanePauses) -> None:
    await pauses.pause(NOTICES, NOW)
    await pauses.cancel(NOTICES, NOW)
    await pauses.resume(NOTICES, NOW)
    chain = SqlAuditChain(database, AuditWriter(SECRET))
    await chain.chain_entries()
    text = await dump_table(database, "audit")
    assert all(f"outbox.{verb}" in text for verb in ("pause", "cancel", "resume"))
    assert (await chain.verify_chain(NOW)).faults == ()


async def test_the_audit_log_says_who_paused(database: Database, pauses: SqlLanePauses) -> None:
    await pauses.pause(NOTICES, NOW)
    await pauses.acting_as("oscar").resume(NOTICES, NOW)
    text, writer = await dump_table(database, "audit"), AuditWriter(SECRET)
    assert all(writer.pseudonym("orange-ro", actor) in text for actor in ("command line", "oscar"))


def test_what_a_subscriber_waits_for_cannot_be_paused() -> None:
    assert not {"code", "reply", "ticket"} & set(PAUSABLE_KINDS)
