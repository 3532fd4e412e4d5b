"""STOP outlives erasure as a keyed hash: notices stay away, nothing names the number, START ends it."""

from dataclasses import replace

import pytest

from flows.domain.records import ChangeSet, OutboundMessage
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.outbox.sql_outbox import SqlOutbox
from storage.privacy.data_map import DataSubject
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows, dump_table

ANA, OPERATOR = "+40740000101", "orange-ro"
NOTICE = OutboundMessage("n1", OPERATOR, ANA, "sms", "notice", "Factura", "ro")


@pytest.fixture
async def erased(database: Database) -> SqlLedger:
    """Provide the ledger after a line that had said STOP was erased."""
    ledger = SqlLedger(database, SECRET)
    await ledger.set_opt_out(OPERATOR, ANA, out=True, now=NOW)
    report = await SqlPrivacy(database, SECRET).erase(DataSubject(OPERATOR, ANA, "s1"), (), confirmed=True)
    assert report["opt_outs"] == "1 kept as a keyed hash"
    return ledger


async def claimed_keys(database: Database) -> list[str]:
    return [row.item.key for row in await SqlOutbox(database, SECRET).claim(10, NOW)]


def change(key: str, message: OutboundMessage) -> ChangeSet:
    return ChangeSet(key, OPERATOR, "s1", NOW, messages=(message,))


async def test_the_table_no_longer_names_the_number(erased: SqlLedger, database: Database) -> None:
    assert ANA[1:] not in await dump_table(database, "opt_outs")
    assert await count_rows(database, "opt_outs") == 1


async def test_a_notice_does_not_go_out(erased: SqlLedger, database: Database) -> None:
    await erased.commit(change("c1", NOTICE))
    assert await claimed_keys(database) == []


async def test_a_code_does(erased: SqlLedger, database: Database) -> None:
    await erased.commit(change("c1", replace(NOTICE, kind="code")))
    assert await claimed_keys(database) == ["n1"]


async def test_a_bill_run_leaves_the_number_out(erased: SqlLedger, database: Database) -> None:
    assert await SqlBulkOutbox(database, SECRET).enqueue_notices(OPERATOR, [NOTICE], NOW) == 0


async def test_erased_twice_it_stays(erased: SqlLedger, database: Database) -> None:
    await erased.commit(change("c1", NOTICE))
    await SqlPrivacy(database, SECRET).erase(DataSubject(OPERATOR, ANA, "s1"), (), confirmed=True)
    assert ANA[1:] not in await dump_table(database, "opt_outs")
    await erased.commit(change("c2", replace(NOTICE, key="n2")))
    assert await claimed_keys(database) == []


async def test_start_ends_it(erased: SqlLedger, database: Database) -> None:
    assert await erased.set_opt_out(OPERATOR, ANA, out=False, now=NOW)
    await erased.commit(change("c1", NOTICE))
    assert await claimed_keys(database) == ["n1"]
