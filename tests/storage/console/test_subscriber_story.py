"""The story's queries: every one reads a handful of rows by an index, whatever the tables hold."""

from typing import Any

import pytest
from sqlalchemy import ClauseElement, Connection, Executable, Select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from flows.domain.records import AuditEntry
from storage.console.staff_log import SqlStaffLog
from storage.console.subscriber_story import MAX_ROWS, SELECT_MESSAGES, SqlStories, newest_statement
from storage.privacy.data_map import PERSONAL_DATA_TABLES, DataSubject, PersonalDataTable
from storage.sql.engine import Database, connect
from tests.support.databases import NOW, SECRET

NUMBER = "+40740000101"
OUTBOX_ROWS = 20_000
"""With a million the plan is the same; filling that takes half a minute."""
FILL_OUTBOX = text(
    """
    INSERT INTO outbox (key, operator, form, kind, priority, "to", route, language, step, state, fence, attempt,
        provider, message_id, reason, created_at, changed_at)
    SELECT 'k' || n, 'orange-ro', 'notice', 'notice', 2, '+4074' || lpad((n % :people)::text, 7, '0'), 'sms',
        'ro', '', 'sent', 0, 1, 'africastalking', '', '', now(), now()
    FROM generate_series(1, :rows) AS n
    """
)


class Explain(Executable, ClauseElement):
    """EXPLAIN of a statement, with its parameters as they are sent."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(Explain)
def _compile_explain(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **options)}"


def explain(connection: Connection, statement: Select[Any], **values: str) -> str:
    """Return the plan of a statement."""
    return "\n".join(row[0] for row in connection.execute(Explain(statement), values))


@pytest.mark.postgres
async def test_messages_of_one_person_are_read_by_their_index(postgres_database: str) -> None:
    database = connect(postgres_database)

    def job(connection: Connection) -> str:
        connection.execute(FILL_OUTBOX, {"rows": OUTBOX_ROWS, "people": OUTBOX_ROWS // 10})
        connection.execute(text("ANALYZE outbox"))
        return explain(connection, SELECT_MESSAGES, of="orange-ro", recipient=NUMBER)

    plan = await database.write(job, seconds=60)
    await database.close()
    assert "Index Scan Backward using ix_outbox_recipient" in plan and "Sort" not in plan, plan


def key_of(personal: PersonalDataTable) -> str | bytes:
    """Return a key of the right type for a table."""
    is_hash = personal.table.c[personal.key_column].type.python_type is bytes
    return b"x" * 32 if is_hash else NUMBER


async def test_a_story_shows_the_newest_rows_only(database: Database) -> None:
    entries = [AuditEntry("orange-ro", NUMBER, f"a{n}", NOW) for n in range(MAX_ROWS * 5)]
    stories, staff_log = SqlStories(database, SECRET), SqlStaffLog(database, SECRET)
    for entry in entries:
        await staff_log.record_entry(entry)
    seen = AuditEntry("orange-ro", NUMBER, "console.view", NOW)
    story = await stories.read_story(DataSubject("orange-ro", NUMBER, "s1"), seen)
    steps = [row["action"] for row in story.tables["audit"]]
    assert steps[:2] == ["console.view", f"a{MAX_ROWS * 5 - 1}"] and len(steps) == MAX_ROWS * 4


@pytest.mark.postgres
async def test_no_table_of_a_story_is_read_whole(postgres_database: str) -> None:
    database = connect(postgres_database)

    def job(connection: Connection) -> dict[str, str]:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        return {
            each.name: explain(connection, newest_statement(each, "orange-ro", key_of(each), MAX_ROWS))
            for each in PERSONAL_DATA_TABLES
        }

    plans = await database.write(job)
    await database.close()
    assert not [f"{name}: {plan}" for name, plan in plans.items() if "Seq Scan" in plan]
