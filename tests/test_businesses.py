"""Business data in our own tables: disputes, usage, purchases, certified originals, cost centres."""

import hashlib

import pytest

from flows.domain.failures import NotFound
from flows.domain.records import Change, Ticket
from storage.billing.sql import SqlBilling
from storage.ledger.store import SqlLedger
from storage.sql.engine import Database
from tests.sql import NOW, SECRET, rows_in
from tests.test_demo_world import backend, sown

LUC, ATELIER = "33660000101", "33660000103"


async def bouygues(database: Database) -> SqlBilling:
    await sown(database)
    return backend(database, "bouygues")


async def test_F13_the_same_line_contested_twice_is_one_ticket(database: Database) -> None:
    ledger, ticket = SqlLedger(database, SECRET), Ticket("QFWQOZJP", "contest", "OFR-1", "7", "sms")
    for key in ("first", "second", "second"):
        await ledger.commit(Change(key, "orange-fr", "orange-fr-1", NOW, tickets=(ticket,)))
    assert await rows_in(database, "tickets") == 1


async def test_B22_usage_comes_newest_first(database: Database) -> None:
    used = await (await bouygues(database)).entries(LUC, "usage", 5)
    assert len(used) == 5
    assert [entry.at for entry in used] == sorted((entry.at for entry in used), reverse=True)


async def test_B17_purchases_have_their_category(database: Database) -> None:
    (bought,) = await (await bouygues(database)).entries(LUC, "purchases", 5)
    assert (bought.kind, str(bought.amount), bought.label) == ("parking", "1.80", "Stationnement zone 2")


async def test_B8_an_original_has_the_hash_of_its_bytes(database: Database) -> None:
    billing = await bouygues(database)
    (bill,) = await billing.bills(ATELIER, 1)
    document = await billing.document(ATELIER, bill.id)
    assert document.sha256 == hashlib.sha256(document.data).hexdigest()
    with pytest.raises(NotFound):
        await billing.document(LUC, bill.id)


async def test_B4_every_line_of_a_business_has_its_centre_and_they_add_up(database: Database) -> None:
    billing = await bouygues(database)
    (bill,) = await billing.bills(ATELIER, 1)
    lines = await billing.lines(ATELIER, bill.id)
    assert {line.centre for line in lines} == {"CF-100-A", "CF-100-B", "CF-200-A"}
    assert sum(line.amount for line in lines) == bill.total
