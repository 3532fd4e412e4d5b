"""Outbox beside the previous release: each row is claimed by workers of one of the two, and none is lost."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, text, update

from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.leases import LEASE
from storage.outbox.sql_outbox import SqlOutbox
from storage.outbox.waiting import HANDED_OVER
from storage.sql.engine import Database
from storage.sql.tables import outbox as rows
from storage.sql.tables import outbox_due
from tests.storage.outbox.test_store import build_notice, claim_batch, claim_one, enqueue_items, state_of
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW, SECRET, count_rows

DEPLOYING = Path(__file__).parents[3] / "docs/deploying.md"
HELD = {"state": "claimed", "fence": 1, "attempt": 1, "due_at": NOW + LEASE}
"""A row that a worker of the previous release holds."""
SETTLE_AS_BEFORE = (
    update(rows)
    .where(rows.c.id == 1, rows.c.fence == 1, rows.c.state == "claimed")
    .values(state="sent", due_at=None)
)


async def write_as_before(ledger: SqlLedger, database: Database, **columns: Any) -> None:
    """Leave one row as a process of the previous release does: no entry, `due_at` in the row itself."""
    await enqueue_items(ledger, build_notice())

    def job(connection: Connection) -> None:
        connection.execute(outbox_due.delete())
        connection.execute(update(rows).values({"due_at": NOW} | columns))

    await database.write(job)


async def test_what_the_previous_release_enqueued_is_claimed_once(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await write_as_before(ledger, database)
    claimed = [await claim_batch(each) for each in (outbox, SqlOutbox(database, SECRET))]
    assert claimed == [["n"], []]


async def test_what_it_scheduled_waits_for_its_time(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    later = NOW + timedelta(hours=1)
    await write_as_before(ledger, database, due_at=later)
    assert await claim_batch(outbox) == []
    assert await claim_batch(outbox, later) == ["n"]


async def test_what_its_worker_holds_is_left_to_it(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await write_as_before(ledger, database, **HELD)
    assert await claim_batch(outbox) == []
    await database.write(lambda connection: connection.execute(SETTLE_AS_BEFORE))
    assert await claim_batch(SqlOutbox(database, SECRET), NOW + LEASE) == []
    assert await state_of(outbox, 1) == "sent"


async def test_what_its_worker_lost_while_sending_is_of_unknown_outcome(
    outbox: SqlOutbox, ledger: SqlLedger, database: Database
) -> None:
    await write_as_before(ledger, database, **HELD, reason=HANDED_OVER)
    heir = await claim_one(outbox, NOW + LEASE)
    assert (heir.attempt, heir.lease_expired) == (2, True)
    late = await database.write(lambda connection: connection.execute(SETTLE_AS_BEFORE).rowcount)
    assert late == 0


async def test_its_workers_do_not_see_what_this_release_enqueues(ledger: SqlLedger, database: Database) -> None:
    await enqueue_items(ledger, build_notice())
    assert await count_rows(database, "outbox WHERE due_at IS NOT NULL") == 0


async def test_to_roll_back_what_waits_is_given_back(ledger: SqlLedger, database: Database) -> None:
    await enqueue_items(ledger, build_notice())
    steps = DEPLOYING.read_text().partition("```sql\n")[2].partition("```")[0].split(";")[:-1]

    def job(connection: Connection) -> list[datetime]:
        for step in steps:
            connection.execute(text(step))
        return list(connection.execute(select(rows.c.due_at)).scalars())

    assert len(steps) == 2 and await database.write(job) == [NOW]
    assert await count_rows(database, "outbox_due") == 0
