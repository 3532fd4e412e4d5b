"""Notices in bulk: the rows of one by one, each sealed by itself, each key once, none to who opted out."""

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from flows.domain.bill_mail import BillEnclosure, BillMail, carry_bill
from flows.domain.records import ChangeSet, OutboundMessage
from storage.crypto import AeadCipher
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.outbox.enqueue import KEY_PURPOSE, decrypt_item
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database
from storage.sql.tables import outbox
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.killed_bulk_run import BILLS, BILLS_PER_PAGE, PAGES_BEFORE_DEATH, run_notices

OPERATOR = "orange-ro"
NOTICE = OutboundMessage(
    key="sms",
    operator=OPERATOR,
    to="+40740000101",
    route="sms",
    kind="notice",
    body='Factura \u0219i "plata" \\ 79,90 lei\n\u2028',
    language="ro",
    expires_at=NOW + timedelta(days=5),
    is_unprompted=True,
    trace_parent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)
MAIL = replace(NOTICE, key="mail", to="ana@example.org", route="email", subject='Despre "martie" \U0001f4c4')
BILL_MAIL = carry_bill(
    replace(MAIL, key="bill"),
    BillEnclosure("a1", "b1", "N\u00b01", "s1", NOTICE.to, is_mobile=True, attached_text="a", link_text="b"),
)
PAGE = [NOTICE, MAIL, BILL_MAIL]


async def read_rows(database: Database) -> list[dict[str, Any]]:
    """Return the rows in the order of their keys, without their ids and payloads."""
    rows = await database.read(
        lambda each: each.execute(select(outbox).order_by(outbox.c.key)).mappings().all()
    )
    return [{name: value for name, value in row.items() if name not in ("id", "payload")} for row in rows]


async def test_notices_in_bulk_are_the_rows_they_are_by_a_change(database: Database) -> None:
    await SqlBulkOutbox(database, SECRET).enqueue_notices(OPERATOR, PAGE, NOW)
    in_bulk = await read_rows(database)
    await database.write(lambda connection: connection.execute(outbox.delete()).close())
    await SqlLedger(database, SECRET).commit(ChangeSet("k", OPERATOR, "s", NOW, messages=tuple(PAGE)))
    assert in_bulk == await read_rows(database)


async def test_notices_in_bulk_are_claimed_as_they_were_given(database: Database) -> None:
    await SqlBulkOutbox(database, SECRET).enqueue_notices(OPERATOR, PAGE, NOW)
    claimed = [each.item for each in await SqlOutbox(database, SECRET).claim(10, NOW)]
    assert sorted(claimed, key=lambda each: each.key) == [BILL_MAIL, MAIL, NOTICE]
    assert isinstance(claimed[[each.key for each in claimed].index("bill")], BillMail)


async def test_each_payload_of_a_page_opens_under_its_own_key_only(database: Database) -> None:
    await SqlBulkOutbox(database, SECRET).enqueue_notices(OPERATOR, PAGE, NOW)
    rows = await database.read(lambda each: each.execute(select(outbox).order_by(outbox.c.id)).all())
    cipher = AeadCipher(SECRET, KEY_PURPOSE)
    assert [decrypt_item(row, cipher).key for row in rows] == [each.key for each in PAGE]
    assert len({bytes(row.payload[:12]) for row in rows}) == len(PAGE)
    with pytest.raises(ValueError, match="decryption failed"):
        cipher.decrypt(rows[0].payload, rows[1].key)


async def test_a_key_of_a_notice_is_taken_once_also_within_a_page(database: Database) -> None:
    bulk = SqlBulkOutbox(database, SECRET)
    pages: tuple[list[OutboundMessage], ...] = ([NOTICE, NOTICE, MAIL], PAGE, [], PAGE)
    assert [await bulk.enqueue_notices(OPERATOR, page, NOW) for page in pages] == [2, 1, 0, 0]


async def test_a_recipient_that_opted_out_gets_no_notice_in_bulk(database: Database) -> None:
    await SqlLedger(database, SECRET).set_opt_out(OPERATOR, NOTICE.to, out=True, now=NOW)
    assert await SqlBulkOutbox(database, SECRET).enqueue_notices(OPERATOR, PAGE, NOW) == 2
    assert [row["key"] for row in await read_rows(database)] == ["bill", "mail"]


async def test_a_bill_run_killed_in_the_middle_and_started_again_announces_every_bill_once(
    database: Database, database_url: str
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.killed_bulk_run", "notices", database_url
    )
    assert await child.wait() == -signal.SIGKILL
    before = PAGES_BEFORE_DEATH * BILLS_PER_PAGE
    assert await count_rows(database, "outbox") == before
    assert await run_notices(SqlBulkOutbox(database, SECRET)) == BILLS - before
    assert await count_rows(database, "outbox") == BILLS
