"""Outbox claim: take due rows under a lease with a fencing token, renew leases, release rows."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, exists, select, text, update

from flows.domain.records import ClaimedMessage
from storage.crypto import AeadCipher
from storage.outbox.enqueue import PRIORITY, decrypt_item
from storage.sql import bulk
from storage.sql.bulk import in_array
from storage.sql.tables import opt_outs, outbox

LEASE = timedelta(seconds=4)
"""Lease of a claimed row, unless renewed; afterwards others may claim it and the old fence is refused."""

HANDED_OVER = "handed over"
"""Reason of a claimed row whose worker began to send it: its outcome may be unknown from here on."""

_ROW = outbox.c
_RECIPIENT_OPTED_OUT = and_(
    _ROW.kind.in_(("notice", "campaign")),
    exists().where(opt_outs.c.operator == _ROW.operator, opt_outs.c.number == _ROW.to),
)
_NOW = bindparam("now", type_=_ROW.due_at.type)
_LIMIT = bindparam("most", type_=_ROW.attempt.type)


class _DueRow(NamedTuple):
    """A due row, as `SELECT_DUE` reads it; attribute access on the driver's rows takes ten times as long."""

    id: int
    fence: int
    attempt: int
    state: str
    reason: str
    key: str
    operator: str
    form: str
    kind: str
    to: str
    route: str
    language: str
    step: str
    payload: bytes | None
    expires_at: datetime | None
    opted_out: bool


_DUE_COLUMNS = tuple(outbox.c[name] for name in _DueRow._fields[:-1])


SELECT_DUE = (
    select(*_DUE_COLUMNS, _RECIPIENT_OPTED_OUT.label("unwanted"))
    .where(
        _ROW.due_at.is_not(None),
        _ROW.priority == bindparam("priority"),
        _ROW.operator == bindparam("operator"),
        _ROW.route == bindparam("route"),
        _ROW.due_at <= _NOW,
    )
    .order_by(_ROW.due_at, _ROW.id)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True, of=outbox)
)
"""The due rows of one partition: an index range scan, independent of what waits in other partitions."""

DEFERRABLE_PRIORITY = PRIORITY["notice"]
"""From this priority on rows can wait: they are not claimed while their route is saturated."""


class _Partition(NamedTuple):
    """The outbox rows of one priority, operator and route."""

    priority: int
    operator: str
    route: str


_PARTITION_COLUMNS = tuple(outbox.c[name] for name in _Partition._fields)
SELECT_PARTITIONS = (
    select(*_PARTITION_COLUMNS).where(_ROW.due_at.is_not(None)).distinct().order_by(*_PARTITION_COLUMNS)
)
SELECT_PARTITIONS_BY_SKIP_SCAN = text(
    """
    WITH RECURSIVE lane AS (
        (SELECT priority, operator, route FROM outbox WHERE due_at IS NOT NULL
            ORDER BY priority, operator, route LIMIT 1)
        UNION ALL
        SELECT following.* FROM lane CROSS JOIN LATERAL (
            SELECT each.priority, each.operator, each.route FROM outbox AS each
            WHERE each.due_at IS NOT NULL
                AND (each.priority, each.operator, each.route) > (lane.priority, lane.operator, lane.route)
            ORDER BY each.priority, each.operator, each.route LIMIT 1
        ) AS following
    )
    SELECT priority, operator, route FROM lane
    """
)
"""Partitions with waiting rows, by a loose index scan (skip scan).

For `SELECT_PARTITIONS` PostgreSQL would read the whole queue.
"""

_ID_IN_ARRAY = in_array(_ROW.id, "ids")
CLAIM_ROWS = (
    update(outbox)
    .where(_ID_IN_ARRAY)
    .values(
        state="claimed",
        fence=_ROW.fence + 1,
        attempt=_ROW.attempt + 1,
        due_at=bindparam("until"),
        reason="",
        changed_at=_NOW,
    )
)
_HOLDS_LEASE = (_ROW.id == bindparam("this"), _ROW.fence == bindparam("at_fence"), _ROW.state == "claimed")
_FENCE_TYPES = {"this": "bigint", "at_fence": "integer"}
RENEW_LEASE = update(outbox).where(*_HOLDS_LEASE).values(due_at=bindparam("until")).returning(_ROW.id)
RENEW_LEASE_BULK = bulk.build_statement(
    """
    UPDATE outbox SET due_at = CAST(:until AS timestamptz) FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    RETURNING outbox.id
    """,
    **_FENCE_TYPES,
)
_UNTIL = bindparam("until", type_=_ROW.due_at.type)
"""Typed by hand: in a `case` nothing tells the type, and SQLite would be given a form of its own."""
_RENEWED_LEASE_END = case((_ROW.due_at < bindparam("renewed_before"), _UNTIL), else_=_ROW.due_at)
MARK_HANDED_OVER = RENEW_LEASE.values(reason=bindparam("said"), due_at=_RENEWED_LEASE_END)
MARK_HANDED_OVER_BULK = bulk.build_statement(
    """
    UPDATE outbox SET reason = :said,
        due_at = CASE WHEN due_at < :renewed_before THEN CAST(:until AS timestamptz) ELSE due_at END
    FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    RETURNING outbox.id
    """,
    **_FENCE_TYPES,
)
"""A lease in its first half is not renewed: an update that changes no indexed column costs half (HOT)."""
RELEASE_ROW = (
    update(outbox)
    .where(*_HOLDS_LEASE)
    .values(state="again", attempt=_ROW.attempt - 1, due_at=bindparam("back_at"), changed_at=_NOW)
)
RELEASE_ROW_BULK = bulk.build_statement(
    """
    UPDATE outbox SET state = 'again', attempt = attempt - 1, due_at = given.back_at, changed_at = :now
    FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    """,
    **_FENCE_TYPES,
    back_at="timestamptz",
)
CLOSE_ROWS = (
    update(outbox)
    .where(_ID_IN_ARRAY)
    .values(state=bindparam("final"), reason=bindparam("why"), due_at=None, payload=None, changed_at=_NOW)
)


def claim_rows(
    connection: Connection,
    cipher: AeadCipher,
    limit: int,
    now: datetime,
    saturated: Collection[tuple[str, str]] = (),
) -> list[ClaimedMessage]:
    """Claim up to `limit` due rows under a lease and close those that must not be sent.

    `saturated`: operators and routes whose deferrable rows are not claimed.
    """
    # Commit asynchronously: a claim lost in a power cut is made again. None of its rows was handed
    # over, because that commit is synchronous.
    bulk.force_index_scans(connection, "synchronous_commit")
    messages: list[ClaimedMessage] = []
    partitions = [
        partition
        for partition in _waiting_partitions(connection)
        if partition.priority < DEFERRABLE_PRIORITY or partition[1:] not in saturated
    ]
    while partitions and (remaining := limit - len(messages)) > 0:
        same_priority = [partition for partition in partitions if partition.priority == partitions[0].priority]
        rows, with_more = _select_fairly(connection, same_priority, remaining, now)
        messages += _claim_or_close(connection, cipher, rows, now)
        partitions = with_more + partitions[len(same_priority) :]
    return messages


def _waiting_partitions(connection: Connection) -> list[_Partition]:
    """Return the partitions with waiting rows, ordered by priority."""
    steps = connection.dialect.name == "postgresql"
    return [
        _Partition._make(row)
        for row in connection.execute(SELECT_PARTITIONS_BY_SKIP_SCAN if steps else SELECT_PARTITIONS)
    ]


def _select_fairly(
    connection: Connection, partitions: Sequence[_Partition], limit: int, now: datetime
) -> tuple[list[_DueRow], list[_Partition]]:
    """Select up to `limit` due rows in equal shares of the partitions; also return those with more rows.

    No more rows are read and locked than are claimed, and no operator's bill run delays another's.
    """
    rows: list[_DueRow] = []
    with_more: list[_Partition] = []
    for index, partition in enumerate(partitions):
        share = ceil((limit - len(rows)) / (len(partitions) - index))
        result = connection.execute(SELECT_DUE, {**partition._asdict(), "now": now, "most": share})
        due_rows = [_DueRow._make(row) for row in result]
        rows += due_rows
        if len(due_rows) == share:
            with_more.append(partition)
    return rows, with_more


def renew_leases(
    connection: Connection, messages: Collection[ClaimedMessage], now: datetime, *, sending: bool
) -> set[int]:
    """Renew the leases of claimed rows; return the ids whose lease is still held.

    `sending` also marks the rows as handed over.
    """
    bulk.force_index_scans(connection)
    rows = sorted((each.id, each.fencing_token) for each in messages)
    lease: dict[str, Any] = {"until": now + LEASE}
    if not sending:
        return bulk.execute_returning_ids(connection, RENEW_LEASE, RENEW_LEASE_BULK, rows, **lease)
    lease |= {"renewed_before": now + LEASE / 2, "said": HANDED_OVER}
    return bulk.execute_returning_ids(connection, MARK_HANDED_OVER, MARK_HANDED_OVER_BULK, rows, **lease)


def release_rows(
    connection: Connection, releases: Sequence[tuple[ClaimedMessage, datetime]], now: datetime
) -> None:
    """Release claimed rows unsent, each until its instant; no attempt is counted."""
    bulk.force_index_scans(connection)
    rows = sorted((each.id, each.fencing_token, at) for each, at in releases)
    bulk.execute_rows(connection, RELEASE_ROW, RELEASE_ROW_BULK, rows, now=now)


def _claim_or_close(
    connection: Connection, cipher: AeadCipher, rows: Sequence[_DueRow], now: datetime
) -> list[ClaimedMessage]:
    """Close the rows that must not be sent and claim the others."""
    messages: list[ClaimedMessage] = []
    closing: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        final = _closing_state(row, now) or _open_row(row, cipher, messages, now)
        if final is not None:
            closing.setdefault(final, []).append(row.id)
    for (state, reason), ids in closing.items():
        connection.execute(CLOSE_ROWS, {"ids": ids, "final": state, "why": reason, "now": now})
    if messages:
        parameters = {"ids": [message.id for message in messages], "until": now + LEASE, "now": now}
        connection.execute(CLAIM_ROWS, parameters)
    return messages


def _open_row(
    row: _DueRow, cipher: AeadCipher, messages: list[ClaimedMessage], now: datetime
) -> tuple[str, str] | None:
    """Decrypt a row into `messages`; return the state `dead` when it cannot be decrypted."""
    try:
        item = decrypt_item(row, cipher)
    except ValueError:
        return "dead", "unreadable"
    lapsed = row.state == "claimed" and row.reason == HANDED_OVER
    messages.append(ClaimedMessage(row.id, row.fence + 1, row.attempt + 1, item, now, lapsed))
    return None


def _closing_state(row: _DueRow, now: datetime) -> tuple[str, str] | None:
    if row.expires_at is not None and row.expires_at <= now:
        return "expired", "expired before it was sent"
    if row.opted_out:
        return "opted_out", "the recipient opted out"
    return None
