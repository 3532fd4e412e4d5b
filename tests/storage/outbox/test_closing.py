"""Outbox claim behind many rows that must not go out: each transaction is short, delivery goes on."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.dialects import sqlite

from flows.domain.records import ChangeSet
from storage.crypto import AeadCipher
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.claim import CLAIM_ROWS, LEASE, claim_rows
from storage.outbox.enqueue import KEY_PURPOSE
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database
from storage.sql.outbox_schema import OUTBOX_COLUMNS
from tests.storage.outbox.test_store import ANA, build_notice, claim_batch, enqueue_items
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW, SECRET

CLOSED_ROWS = 150_000
EARLIER = NOW - timedelta(hours=2)
INSERT_UNSENDABLE_ROWS = text(
    """
    WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < :count)
    INSERT INTO outbox (key, operator, form, kind, priority, "to", route, language, step, payload, state,
        due_at, expires_at, fence, attempt, provider, message_id, reason, created_at, changed_at)
    SELECT 'bad' || i, 'orange-ro', 'notice', 'notice', 2,
        CASE i % 3 WHEN 0 THEN :opted_out ELSE '+40740000102' END, 'sms', 'ro', '', old.payload,
        'pending', old.due_at, CASE i % 3 WHEN 1 THEN old.due_at ELSE NULL END,
        0, 0, '', '', '', old.created_at, old.changed_at
    FROM number, outbox AS old WHERE old.key = 'unreadable'
    """
)
"""Copies of a row under other keys, so unreadable; a third expired, a third to a number that opted out."""


async def insert_unsendable_rows(ledger: SqlLedger, database: Database, count: int) -> None:
    await enqueue_items(ledger, replace(build_notice("unreadable", to="+40740000102"), due_at=EARLIER))
    await ledger.set_opt_out("orange-ro", ANA, out=True, now=NOW)
    parameters = {"count": count, "opted_out": ANA}
    await database.write(lambda connection: connection.execute(INSERT_UNSENDABLE_ROWS, parameters), seconds=60)
    await database.write(
        lambda connection: connection.execute(text("UPDATE outbox SET key = 'moved' WHERE key = 'unreadable'"))
    )


async def count_states(database: Database) -> dict[str, int]:
    """Return the number of rows in each state; counted by the database, as to read 150,000 rows takes long."""
    states = select(OUTBOX_COLUMNS["state"]).subquery()
    counted = select(states.c.state, func.count()).group_by(states.c.state)
    rows = await database.read(lambda connection: connection.execute(counted).all())
    return {str(state): int(count) for state, count in rows}


async def test_delivery_goes_on_behind_150000_rows_that_must_not_go_out(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await insert_unsendable_rows(ledger, database, CLOSED_ROWS)
    await enqueue_items(ledger, build_notice("good", to="+40740000103"))
    while not (keys := await claim_batch(outbox)):
        pass
    assert keys == ["good"]
    third = CLOSED_ROWS // 3
    counts = {"expired": third, "opted_out": third, "dead": third + 1, "claimed": 1}
    assert await count_states(database) == counts


async def test_a_claim_transaction_reads_one_batch(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await insert_unsendable_rows(ledger, database, 50)
    cipher = AeadCipher(SECRET, KEY_PURPOSE)
    batch = await database.write(lambda connection: claim_rows(connection, cipher, 20, lambda: NOW))
    assert batch == ([], 20)


async def test_codes_overtake_rows_that_are_being_closed(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await insert_unsendable_rows(ledger, database, 300)
    await enqueue_items(ledger, build_notice("code", "code"))
    assert await claim_batch(outbox) == ["code"]


async def test_a_lease_counts_from_the_end_of_the_claim(database: Database, ledger: SqlLedger) -> None:
    seconds = iter([0.0, 0.0, 3.2, 3.2])
    outbox = SqlOutbox(database, SECRET, lambda: next(seconds))
    await enqueue_items(ledger, build_notice())
    (message,) = await outbox.claim(1, NOW)
    row = await outbox.find_row(message.id)
    assert row is not None and row.due_at == NOW + timedelta(seconds=3) + LEASE


async def test_a_row_that_did_not_open_goes_out_with_the_right_key(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice())
    await claim_batch(SqlOutbox(database, replace(SECRET, value="another")))
    (row,) = await outbox.list_rows("dead", 10)
    assert row.readable and await outbox.replay_row(row.id, NOW)
    assert await claim_batch(outbox) == ["n"]


async def test_a_code_that_did_not_open_is_never_replayed(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await enqueue_items(ledger, build_notice("c", "code"))
    await claim_batch(SqlOutbox(database, replace(SECRET, value="another")))
    (row,) = await outbox.list_rows("dead", 10)
    assert not await outbox.replay_row(row.id, NOW)


def test_sqlite_finds_rows_by_id_and_not_by_a_scan(sqlite_migrated: Path) -> None:
    statement = str(CLAIM_ROWS.compile(dialect=sqlite.dialect()))
    with closing(sqlite3.connect(sqlite_migrated)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")).fetchall()
    assert plan[0][3].startswith("SEARCH outbox")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_row_written_by_a_clock_that_was_ahead_is_due(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    ahead = NOW + timedelta(hours=1)
    await ledger.commit(ChangeSet("k", "orange-ro", "s", ahead, messages=(build_notice("c", "code"),)))
    assert await claim_batch(outbox) == ["c"]
