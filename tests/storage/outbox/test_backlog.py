"""Outbox backlog: the age counts from creation, rows are counted by state, and the cost is bounded."""

from datetime import timedelta

import pytest

from storage.outbox import backlog
from storage.outbox.backlog import read_backlog
from storage.sql.engine import Database
from storage.sql.tables import outbox
from tests.support.databases import NOW

HOUR = timedelta(hours=1)
ROW = {
    **{"operator": "orange-ro", "form": "message", "kind": "notice", "priority": 3, "to": "+40740000101"},
    **{"route": "sms", "language": "ro", "step": "", "payload": b"", "expires_at": None, "fence": 0},
    **{"attempt": 0, "provider": "", "message_id": "", "reason": "", "changed_at": NOW},
}


async def insert_rows(database: Database, *rows: dict[str, object]) -> None:
    """Insert rows of given state, due time and creation time."""
    values = [{**ROW, "key": f"{number}", **row} for number, row in enumerate(rows)]
    await database.write(lambda connection: connection.execute(outbox.insert(), values))


async def test_a_message_that_is_tried_again_later_counts_from_its_creation(database: Database) -> None:
    await insert_rows(
        database,
        {"state": "again", "due_at": NOW + HOUR, "created_at": NOW - 3 * HOUR},
        {"state": "pending", "due_at": NOW, "created_at": NOW - HOUR},
        {"state": "sent", "due_at": None, "created_at": NOW - 9 * HOUR},
    )
    measured = await read_backlog(database, NOW)
    assert measured.age_seconds(NOW) == 3 * 3600
    assert measured.counts == {"pending": 1, "claimed": 0, "again": 1, "dead": 0, "failed": 0, "unknown": 0}


async def test_a_message_scheduled_for_tomorrow_is_not_late(database: Database) -> None:
    await insert_rows(database, {"state": "pending", "due_at": NOW + HOUR, "created_at": NOW - 3 * HOUR})
    assert (await read_backlog(database, NOW)).age_seconds(NOW) == 0


async def test_a_payment_that_is_asked_about_again_by_plan_is_late_only_behind_its_plan(
    database: Database,
) -> None:
    check = {"step": "payment.check", "form": "step", "route": ""}
    await insert_rows(
        database,
        {**check, "state": "again", "due_at": NOW + HOUR, "created_at": NOW - 30 * HOUR},
        {**check, "state": "again", "due_at": NOW - HOUR / 2, "created_at": NOW - 30 * HOUR},
        {"step": "payment.book", "state": "again", "due_at": NOW + HOUR, "created_at": NOW - HOUR / 4},
    )
    assert (await read_backlog(database, NOW)).age_seconds(NOW) == 1800


async def test_a_deep_backlog_is_counted_up_to_a_limit_and_its_age_is_exact(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MAX_COUNTED", 3)
    rows: list[dict[str, object]] = [{"state": "again", "due_at": NOW, "created_at": NOW - 9 * HOUR}]
    rows += [{"state": "pending", "due_at": NOW, "created_at": NOW}] * 8
    rows += [{"state": "dead", "due_at": None, "created_at": NOW}] * 5
    await insert_rows(database, *rows)
    measured = await read_backlog(database, NOW)
    assert measured.age_seconds(NOW) == 9 * 3600 and measured.counts["dead"] == 3
