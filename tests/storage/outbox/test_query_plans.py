"""Outbox query plans on PostgreSQL: a claim reads its batch only, whatever the queue or statistics."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from flows.domain.claim_scope import ClaimScope
from flows.domain.records import ChangeSet
from storage.crypto import AeadCipher
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.claim import claim_rows, renew_leases
from storage.outbox.enqueue import KEY_PURPOSE
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.bulk import ArrayStatement, array_literal
from storage.sql.engine import Database, connect
from tests.storage.outbox.test_store import build_notice
from tests.support.databases import NOW, SECRET

pytestmark = pytest.mark.postgres
WAITING_ROWS = 3_000
ROWS_READ = text(
    "SELECT coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
    " WHERE relname = 'outbox'"
)
"""Rows of the outbox this transaction has read: by sequential scan and by index."""

ROWS_MOVED = text("SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'outbox'")


@pytest.fixture
async def deep_queue(postgres_database: str) -> AsyncIterator[Database]:
    """Provide a deep queue without statistics (no ANALYZE)."""
    database = connect(postgres_database)
    items = tuple(build_notice(f"n{number}") for number in range(WAITING_ROWS))
    await SqlLedger(database, SECRET).commit(ChangeSet("k", "orange-ro", "s", NOW, messages=items))
    yield database
    await database.close()


async def test_a_claim_reads_its_batch_and_not_the_queue(deep_queue: Database) -> None:
    def job(connection: Connection) -> tuple[int, int]:
        parcels = claim_rows(connection, AeadCipher(SECRET, KEY_PURPOSE), 10, lambda: NOW).messages
        assert len(renew_leases(connection, parcels, NOW, sending=True)) == 10
        scanned, fetched = connection.execute(ROWS_READ).one()
        return scanned, fetched

    scanned, fetched = await deep_queue.write(job)
    assert scanned == 0 and fetched <= 100


async def test_a_full_route_is_not_read(deep_queue: Database) -> None:
    def job(connection: Connection) -> tuple[int, int]:
        scope = ClaimScope({("orange-ro", "sms")})
        assert claim_rows(connection, AeadCipher(SECRET, KEY_PURPOSE), 10, lambda: NOW, scope) == ([], 0)
        scanned, fetched = connection.execute(ROWS_READ).one()
        return scanned, fetched

    scanned, fetched = await deep_queue.write(job)
    assert scanned == 0 and fetched <= 10


async def test_a_claim_changes_no_index(deep_queue: Database) -> None:
    def job(connection: Connection) -> tuple[int, int]:
        batch = claim_rows(connection, AeadCipher(SECRET, KEY_PURPOSE), 100, lambda: NOW)
        return len(batch.messages), int(connection.execute(ROWS_MOVED).scalar_one())

    assert await deep_queue.write(job) == (100, 0)


async def test_marking_as_sending_is_a_hot_update(deep_queue: Database) -> None:
    parcels = await SqlOutbox(deep_queue, SECRET).claim(10, NOW)

    def job(connection: Connection) -> int:
        before = connection.execute(ROWS_MOVED).scalar_one()
        renew_leases(connection, parcels, NOW, sending=True)
        return int(connection.execute(ROWS_MOVED).scalar_one()) - int(before)

    assert await deep_queue.write(job) == 0


TEXTS = ["", "plain", 'quo"te', "back\\slash", "{a,b}", "NULL", "€ ș", "line\nbreak", " "]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", TEXTS),
        ("text", TEXTS[1:2]),
        ("bytea", [b"", b"\x00\xff", b'"\\']),
        ("bigint", [0, -1, 1 << 40]),
        ("timestamptz", [NOW, None]),
        ("integer", []),
    ],
)
async def test_an_array_parameter_arrives_unchanged(
    deep_queue: Database, kind: str, values: list[object]
) -> None:
    many = ArrayStatement("SELECT given.a FROM {rows}", {"a": kind})
    given = {"a": array_literal(values, kind)}
    back = await deep_queue.read(lambda connection: list(connection.execute(many.clause, given).scalars()))
    assert back == values
