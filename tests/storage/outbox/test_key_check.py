"""Known-plaintext check: a start with another secret key is refused, before it closes a row."""

from dataclasses import replace

import pytest
from sqlalchemy import delete

from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.key_check import verify_secret_key
from storage.sql.engine import Database
from storage.sql.tables import key_checks
from tests.storage.outbox.test_store import build_notice, enqueue_items
from tests.storage.outbox.test_store import ledger as ledger
from tests.support.databases import SECRET

ANOTHER_SECRET = replace(SECRET, value="another secret of the tests, of 32 characters")


async def test_the_first_start_settles_the_key(database: Database) -> None:
    await verify_secret_key(database, SECRET)
    await verify_secret_key(database, SECRET)
    with pytest.raises(ValueError, match="not the key this database was written with"):
        await verify_secret_key(database, ANOTHER_SECRET)


async def test_a_database_from_before_the_check_knows_its_key_by_its_rows(
    database: Database, ledger: SqlLedger
) -> None:
    await enqueue_items(ledger, build_notice())
    with pytest.raises(ValueError, match="not the key"):
        await verify_secret_key(database, ANOTHER_SECRET)
    await verify_secret_key(database, SECRET)


async def test_a_new_key_is_taken_once_the_sample_is_deleted(database: Database) -> None:
    await verify_secret_key(database, SECRET)
    await database.write(lambda connection: connection.execute(delete(key_checks)))
    await verify_secret_key(database, ANOTHER_SECRET)
