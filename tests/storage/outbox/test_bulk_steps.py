"""Deferred steps in bulk: the same rows as one by one, each key once, also when a reminder run is killed."""

import asyncio
import signal
import sys
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from flows.domain.records import ChangeSet, DeferredStep
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database
from storage.sql.tables import outbox
from tests.support.databases import NOW, SECRET
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.killed_bulk_run import BILLS, BILLS_PER_PAGE, PAGES_BEFORE_DEATH, run_reminders

OPERATOR = "orange-ro"
TRACE_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def build_step(key: str, step: str = "reminder.due") -> DeferredStep:
    session, expires_at = f'["a", "{key}"]'.encode(), NOW + timedelta(days=3)
    return DeferredStep(key, OPERATOR, step, session, expires_at, TRACE_PARENT)


async def row_of(database: Database, key: str) -> dict[str, Any]:
    """Return a row without what differs from row to row: its id, key and encrypted payload."""
    row = await database.read(
        lambda connection: connection.execute(select(outbox).where(outbox.c.key == key)).mappings().one()
    )
    return {name: value for name, value in row.items() if name not in ("id", "key", "payload")}


async def test_a_step_in_bulk_is_the_row_it_is_by_a_change(database: Database) -> None:
    await SqlLedger(database, SECRET).commit(
        ChangeSet("k", OPERATOR, "s", NOW, deferred_steps=(build_step("alone"),))
    )
    await SqlBulkOutbox(database, SECRET).enqueue_steps(OPERATOR, [build_step("among many")], NOW)
    assert await row_of(database, "among many") == await row_of(database, "alone")


async def test_steps_in_bulk_are_claimed_as_they_were_given(database: Database) -> None:
    steps = [build_step("a/'\"\\,{}"), build_step("b", "instalment.overdue")]
    await SqlBulkOutbox(database, SECRET).enqueue_steps(OPERATOR, steps, NOW)
    claimed = await SqlOutbox(database, SECRET).claim(10, NOW)
    assert sorted((each.item for each in claimed), key=str) == sorted(steps, key=str)


async def test_a_key_in_bulk_is_taken_once_ever(database: Database) -> None:
    bulk, page = SqlBulkOutbox(database, SECRET), [build_step("a"), build_step("b")]
    pages: tuple[list[DeferredStep], ...] = (
        page,
        page,
        [*page, build_step("c")],
        [],
        [build_step("d"), build_step("d")],
    )
    assert [await bulk.enqueue_steps(OPERATOR, steps, NOW) for steps in pages] == [2, 0, 1, 0, 1]


async def count_rows(database: Database) -> int:
    query = select(func.count()).select_from(outbox)
    return await database.read(lambda connection: connection.scalar(query) or 0)


async def test_a_reminder_run_killed_in_the_middle_and_started_again_plans_every_reminder_once(
    database: Database, database_url: str
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.killed_bulk_run", "reminders", database_url
    )
    assert await child.wait() == -signal.SIGKILL
    assert await count_rows(database) == PAGES_BEFORE_DEATH * BILLS_PER_PAGE
    assert await run_reminders(SqlBulkOutbox(database, SECRET)) == BILLS
    assert await count_rows(database) == BILLS
