"""Conversation writer: ended conversations wait for others; a full batch is written at once."""

import pytest
from sqlalchemy import func, select

from flows.domain.conversation_records import RecordedTurn
from storage.audit import conversation_writer
from storage.audit.conversation_writer import MAX_BATCH, ConversationWriter, build_conversation_writer
from storage.audit.trail import AuditWriter
from storage.audit.write_behind import WriteBehind
from storage.sql.conversation_schema import conversations
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET


def record_conversations(writer: ConversationWriter, count: int, *, ends: bool = True) -> None:
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
            ends=ends,
            keep_days=30,
        )
        writer.record_turn(turn)


def build_writer(database: Database) -> ConversationWriter:
    return build_conversation_writer(WriteBehind(database, AuditWriter(SECRET)), SECRET)


async def count_rows(database: Database) -> int:
    counting = select(func.count()).select_from(conversations)
    return await database.read(lambda connection: connection.execute(counting).scalar_one())


async def test_an_ended_conversation_waits_for_others(database: Database) -> None:
    writer = build_writer(database)
    record_conversations(writer, MAX_BATCH - 1)
    assert len(writer.ended) == MAX_BATCH - 1 and not writer.write_behind.jobs
    await writer.write_behind.close()
    assert await count_rows(database) == MAX_BATCH - 1


async def test_a_full_batch_is_handed_over_at_once(database: Database) -> None:
    writer = build_writer(database)
    record_conversations(writer, MAX_BATCH + 1)
    assert len(writer.ended) == 1 and len(writer.write_behind.jobs) == 1
    await writer.write_behind.close()


async def test_a_conversation_is_encoded_as_it_ends_and_idle_ones_are_by_the_job(database: Database) -> None:
    writer = build_writer(database)
    record_conversations(writer, 1)
    record_conversations(writer, 3, ends=False)
    [(*_, sealed)] = writer.ended
    assert isinstance(sealed, bytes)
    writer.hand_over_all()
    [batch] = writer.batches
    assert (len(batch.encoded), len(batch.idle), writer.ended) == (1, 3, [])
    await writer.write_behind.close()
    assert batch.is_written and await count_rows(database) == 4


async def test_conversations_beyond_the_room_are_dropped_and_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conversation_writer, "MAX_WAITING", 3)
    writer = build_writer(database)
    record_conversations(writer, 2)
    record_conversations(writer, 4, ends=False)
    writer.hand_over_all()
    assert [record.count for record in caplog.records] == [3]  # type: ignore[attr-defined]
    await writer.write_behind.close()
    assert await count_rows(database) == 3
