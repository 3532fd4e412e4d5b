"""Counting the screens of many conversations: by the index of their times, and a random share of them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from storage.audit.conversation_rows import COUNT_BEGUN, MAX_SAMPLED, SELECT_SHARE, ConversationRows
from storage.sql.engine import connect
from tests.storage.console.test_subscriber_story import Explain
from tests.support.databases import SECRET

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
FILLED_ROWS = 20_000
FILL = text(
    """
    INSERT INTO conversations (operator, actor, channel, conversation, started_at, ended_at, expires_at, turns)
    SELECT 'orange-ro', 'a' || n, CASE n % 10 WHEN 0 THEN 'voice' ELSE 'ussd' END, substr(md5(n::text), 1, 24),
        times.at, times.at, times.at, decode(repeat('ab', 900), 'hex')
    FROM generate_series(1, :rows) AS n,
        LATERAL (SELECT CAST(:now AS timestamptz) - n * interval '1 second' AS at) AS times
    """
)


def explain_share(connection: Connection) -> tuple[str, float, int]:
    """Return the plans of both statements, then the share that is taken and the rows read of many."""
    connection.execute(FILL, {"rows": FILLED_ROWS, "now": NOW})
    connection.execute(text("ANALYZE conversations"))
    since = NOW - timedelta(hours=4)
    values = {"of": "orange-ro", "on": "ussd"}
    explained = {**values, "since": NOW - timedelta(minutes=30), "below": "100000"}
    plans = [
        connection.execute(Explain(each), explained).scalars().all() for each in (COUNT_BEGUN, SELECT_SHARE)
    ]
    share, read = ConversationRows(SECRET).read_share(connection, "orange-ro", "ussd", since)
    return "\n".join(line for plan in plans for line in plan), share, len(read)


@pytest.mark.postgres
async def test_many_conversations_are_counted_by_index_and_a_random_share_is_read(
    postgres_database: str,
) -> None:
    database = connect(postgres_database)
    plans, share, rows = await database.write(explain_share, seconds=60)
    await database.close()
    assert plans.count("ix_conversations_operator_channel_started_at_conversation") == 2, plans
    begun = 4 * 3600 * 0.9
    assert share == pytest.approx(0.9 * MAX_SAMPLED / begun, rel=0.01)
    assert rows == pytest.approx(share * begun, rel=0.1)
