"""Business data in our own tables: disputes, usage, purchases, certified originals, cost centres."""

import hashlib
from pathlib import Path

import pytest

from flows.domain.failures import NotFound
from flows.domain.records import ChangeSet
from flows.domain.rubrics import COMMUNICATION_PARTS
from flows.domain.ticket_records import Ticket
from storage.billing.sql import SqlBilling
from storage.ledger.sql_ledger import SqlLedger
from storage.sql.engine import Database
from tests.storage.demo.test_world import build_backend, seed_world
from tests.support.billing.backends import LONG_TIMEOUTS, build_book, open_backend
from tests.support.billing.every_backend import BACKEND_NAMES, TODAY
from tests.support.databases import NOW, SECRET, count_rows

LUC, ATELIER = "33660000101", "33660000103"


async def seed_bouygues(database: Database) -> SqlBilling:
    await seed_world(database)
    return build_backend(database, "bouygues")


async def test_F13_the_same_line_contested_twice_is_one_ticket(database: Database) -> None:
    ledger, ticket = SqlLedger(database, SECRET), Ticket("QFWQOZJP", "contest", "OFR-1", "7", "sms")
    for key in ("first", "second", "second"):
        await ledger.commit(ChangeSet(key, "orange-fr", "orange-fr-1", NOW, tickets=(ticket,)))
    assert await count_rows(database, "tickets") == 1


async def test_B22_usage_comes_newest_first(database: Database) -> None:
    used = await (await seed_bouygues(database)).list_entries(LUC, "usage", 5)
    assert len(used) == 5
    assert [entry.at for entry in used] == sorted((entry.at for entry in used), reverse=True)


async def test_B17_purchases_have_their_category(database: Database) -> None:
    (bought,) = await (await seed_bouygues(database)).list_entries(LUC, "purchases", 5)
    assert (bought.kind, str(bought.amount), bought.label) == ("parking", "1.80", "Stationnement zone 2")


async def test_B8_an_original_has_the_hash_of_its_bytes(database: Database) -> None:
    billing = await seed_bouygues(database)
    (bill,) = await billing.list_bills(ATELIER, 1)
    document = await billing.get_document(ATELIER, bill.id)
    assert document.sha256 == hashlib.sha256(document.data).hexdigest()
    with pytest.raises(NotFound):
        await billing.get_document(LUC, bill.id)


async def test_B4_every_line_of_a_business_has_its_centre_and_they_add_up(database: Database) -> None:
    billing = await seed_bouygues(database)
    (bill,) = await billing.list_bills(ATELIER, 1)
    lines = await billing.list_bill_lines(ATELIER, bill.id)
    assert {line.centre for line in lines} == {"CF-100-A", "CF-100-B", "CF-200-A"}
    assert sum(line.amount for line in lines) == bill.total


@pytest.mark.parametrize("name", BACKEND_NAMES)
async def test_B6_every_backend_tells_communications_apart_and_its_lines_add_up(
    name: str, tmp_path: Path
) -> None:
    kept = build_book(operator="bouygues")
    async with open_backend(name, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        account = (await billing.get_subscriber(f"+{LUC}")).account
        (bill,) = await billing.list_bills(account, 1)
        lines = await billing.list_bill_lines(account, bill.id)
    told = {line.rubric: line.amount for line in lines}
    amounts = [str(told[part].normalize()) for part in COMMUNICATION_PARTS]
    assert amounts == ["1.3", "0.9", "0.6", "0.4"]
    assert sum(line.amount for line in lines) == bill.total
