"""Rehearsal of a bill run: it counts what the run would enqueue, shows samples, and writes nothing."""

from sqlalchemy import insert

from flows.domain.pseudonyms import Pseudonyms
from flows.services.bill_notices import BillAnnouncer
from gateway.delivery.bill_rehearsal import MAX_SAMPLES, BillRehearsal, BulkNotices
from gateway.delivery.bill_run import BillRun
from storage.billing.sql import SqlBilling
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.outbox.erased_opt_outs import ErasedOptOuts
from storage.sql.engine import Database
from storage.sql.tables import opt_outs
from tests.gateway.delivery.test_bill_run import ANA, BARBU, MARCH, TODAY
from tests.support.billing.backends import OPERATOR, build_book, fill_tables
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.shipped_packs import shipped_menu


async def announce_march(database: Database, outbox: BulkNotices) -> int:
    """Announce the bills of March to an outbox; return how many notices were new."""
    menu = shipped_menu(OPERATOR)
    announcer = BillAnnouncer(menu, Pseudonyms(b"a key for the tests"))
    billing = SqlBilling(database, OPERATOR, lambda: TODAY)
    run = BillRun(OPERATOR, billing, announcer, outbox, lambda: NOW)
    return (await run.announce_bills(*MARCH, lambda progress: None)).enqueued_count


async def rehearse(database: Database) -> tuple[BillRehearsal, int]:
    """Rehearse March; return the rehearsal and how many messages it counted."""
    rehearsal = BillRehearsal(SqlBulkOutbox(database, SECRET))
    return rehearsal, await announce_march(database, rehearsal)


async def run_for_real(database: Database) -> int:
    return await announce_march(database, SqlBulkOutbox(database, SECRET))


async def test_it_counts_what_the_run_then_enqueues_and_writes_nothing(database: Database) -> None:
    await fill_tables(database, build_book())
    rehearsal, count = await rehearse(database)
    assert await count_rows(database, "outbox") == 0
    assert count == sum(rehearsal.messages.values()) == await run_for_real(database) == 3
    assert all(rehearsal.sms_parts[kind] >= rehearsal.messages[kind] for kind in rehearsal.sms_parts)
    again, count = await rehearse(database)
    assert (count, again.samples) == (0, [])


async def test_who_opted_out_is_not_counted_nor_one_who_was_erased_since(database: Database) -> None:
    await fill_tables(database, build_book())
    erased = ErasedOptOuts(SECRET).hash_recipient(OPERATOR, BARBU)
    rows = [{"operator": OPERATOR, "number": number, "at": NOW} for number in (ANA, erased)]
    await database.write(lambda connection: connection.execute(insert(opt_outs), rows).close())
    rehearsal, count = await rehearse(database)
    assert {ANA, BARBU}.isdisjoint(sample.to for sample in rehearsal.samples)
    assert count == await run_for_real(database) < 3


async def test_samples_are_few_and_show_no_number(database: Database) -> None:
    await fill_tables(database, build_book())
    rehearsal, _ = await rehearse(database)
    lines = "\n".join(rehearsal.report_lines())
    assert 0 < len(rehearsal.samples) <= MAX_SAMPLES
    assert "sms in ro: " in lines and " parts" in lines
    assert ANA not in lines and BARBU not in lines and ANA.removeprefix("+4") not in lines
