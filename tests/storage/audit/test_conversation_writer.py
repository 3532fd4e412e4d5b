"""Conversation writer: ended conversations wait for others; a full batch is written at once."""

from sqlalchemy import func, select

from flows.domain.conversation_records import RecordedTurn
from storage.audit.conversation_writer import MAX_BATCH, ConversationWriter, build_conversation_writer
from storage.audit.trail import AuditWriter
from storage.audit.write_behind import WriteBehind
from storage.sql.conversation_schema import conversations
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET


def record_conversations(writer: ConversationWriter, count: int) -> None:
    for number in range(count):
        turn = RecordedTurn(
            operator="orange-ro",
            caller="+40740000101",
            channel="ussd",
            conversation_hash=f"{number:024}",
            happened_at=NOW,
            answers=(),
            note="",
            replacement=None,
            session=b"[]",
            ends=True,
            keep_days=30,
        )
        writer.record_turn(turn)


def build_writer(database: Database) -> ConversationWriter:
    return build_conversation_writer(WriteBehind(database, AuditWriter(SECRET)), SECRET)


async def test_an_ended_conversation_waits_for_others(database: Database) -> None:
    writer = build_writer(database)
    record_conversations(writer, MAX_BATCH - 1)
    assert len(writer.ended) == MAX_BATCH - 1 and not writer.write_behind.jobs
    await writer.write_behind.close()
    count = await database.read(lambda c: c.execute(select(func.count()).select_from(conversations)).scalar())
    assert count == MAX_BATCH - 1


async def test_a_full_batch_is_handed_over_at_once(database: Database) -> None:
    writer = build_writer(database)
    record_conversations(writer, MAX_BATCH + 1)
    assert len(writer.ended) == 1 and len(writer.write_behind.jobs) == 1
    await writer.write_behind.close()
