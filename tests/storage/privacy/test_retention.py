"""Retention: in batches, each rule by itself, with time enough for a large table."""

import logging
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Engine

from storage.privacy.retention import RETENTION_RULES, apply_retention
from storage.sql.engine import Database, connect
from storage.sql.tables import receipts
from tests.support.databases import NOW

TOO_OLD = NOW - timedelta(days=400)


async def insert_receipts(database: Database, count: int, prefix: str = "old", at: datetime = TOO_OLD) -> None:
    row = {"provider": "any", "state": "delivered", "raw": "", "reason": "", "at": at}
    rows = [{**row, "message_id": f"{prefix}-{number}"} for number in range(count)]
    if rows:
        await database.write(lambda c: c.execute(receipts.insert(), rows).close())


async def count_receipts(database: Database) -> int:
    statement = text("SELECT count(*) FROM receipts")
    return await database.read(lambda c: int(c.execute(statement).scalar_one()))


@pytest.mark.parametrize("rows", [0, 1, 6, 7])
async def test_batches_go_on_until_nothing_is_left(database: Database, rows: int) -> None:
    await insert_receipts(database, rows)
    await insert_receipts(database, 2, "new", NOW)
    counts = await apply_retention(database, NOW, batch_rows=3)
    assert (counts["receipts"], await count_receipts(database)) == (rows, 2)


async def test_a_rule_that_fails_keeps_no_other_from_being_applied(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await insert_receipts(database, 4)
    await database.write(lambda c: c.execute(text("ALTER TABLE changes RENAME TO gone")).close())
    with caplog.at_level(logging.WARNING):
        counts = await apply_retention(database, NOW, batch_rows=3)
    assert (counts["receipts"], counts["keys of changes"]) == (4, 0)
    assert [(each.message, vars(each)["table"]) for each in caplog.records] == [
        ("retention.rule_failed", "keys of changes")
    ]


@pytest.mark.postgres
async def test_a_batch_has_more_time_than_other_statements(postgres_database: str) -> None:
    database, timeouts = connect(postgres_database), set[str]()

    def note_timeout(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("DELETE", "UPDATE")):
            timeouts.add(str(connection.exec_driver_sql("SHOW statement_timeout").scalar()))

    event.listen(Engine, "before_cursor_execute", note_timeout)
    try:
        await apply_retention(database, NOW)
    finally:
        event.remove(Engine, "before_cursor_execute", note_timeout)
        await database.close()
    assert timeouts == {"1min"}


def test_every_rule_names_its_batch_and_its_conditions_twice() -> None:
    for rule in RETENTION_RULES:
        sql = str(rule.batch_statement())
        assert "LIMIT" in sql and sql.count("before") >= 2
