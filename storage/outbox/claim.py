"""Outbox claim: take due rows under a lease with a fencing token, renew leases, release rows."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, literal, not_, update

from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.records import ClaimedMessage
from storage.crypto import AeadCipher
from storage.outbox.due_rows import DEFERRABLE_PRIORITY, DueRow, list_partitions, select_fairly
from storage.outbox.enqueue import decrypt_item
from storage.outbox.lane_pauses import read_paused_partitions
from storage.sql import bulk
from storage.sql.bulk import in_array
from storage.sql.features import OUTBOX_LEASES, enabled_condition
from storage.sql.outbox_schema import CLAIMABLE_AT, HAS_LEASE, IS_CLAIMED, outbox

LEASE = timedelta(seconds=4)
"""Lease of a claimed row, unless renewed; afterwards others may claim it and the old fence is refused."""

HANDED_OVER = "handed over"
"""Reason of a claimed row whose worker began to send it: its outcome may be unknown from here on."""

UNREADABLE = "unreadable"
"""Reason of a row whose payload was deleted, damaged, or encrypted with another key."""

_ROW = outbox.c
_NOW = bindparam("now", type_=_ROW.due_at.type)
_ID_IN_ARRAY = in_array(_ROW.id, "ids")
_UNTIL = bindparam("until", type_=_ROW.due_at.type)
"""Typed explicitly: in a `case` the type cannot be derived, and SQLite would get another format."""
_KEEPS_LEASES = enabled_condition(OUTBOX_LEASES)
CLAIM_ROWS = (
    update(outbox)
    .where(_ID_IN_ARRAY)
    .values(
        leased_until=case((_KEEPS_LEASES, _UNTIL)),
        state=case((_KEEPS_LEASES, _ROW.state), else_=literal("claimed", _ROW.state.type)),
        due_at=case((_KEEPS_LEASES, _ROW.due_at), else_=_UNTIL),
        fence=_ROW.fence + 1,
        attempt=_ROW.attempt + 1,
        reason="",
        changed_at=_NOW,
    )
)
"""With the feature `outbox_leases` a claim changes no indexed column: PostgreSQL writes no index (HOT).

Without it the lease ends at `due_at`. From then on each row keeps its lease where its claim put it.
"""
HOLDS_LEASE = (_ROW.id == bindparam("this"), _ROW.fence == bindparam("at_fence"), IS_CLAIMED)
HOLDS_LEASE_BULK = """FROM {rows} WHERE outbox.id = given.this AND outbox.fence = given.at_fence
        AND (outbox.leased_until IS NOT NULL OR outbox.state = 'claimed')"""
FENCE_TYPES = {"this": "bigint", "at_fence": "integer"}
"""The condition that a claim still holds its row, for one row and for many: nothing else ends a claim."""
RENEW_LEASE = (
    update(outbox)
    .where(*HOLDS_LEASE)
    .values(
        leased_until=case((HAS_LEASE, _UNTIL)),
        due_at=case((HAS_LEASE, _ROW.due_at), else_=_UNTIL),
    )
    .returning(_ROW.id)
)
RENEW_LEASE_BULK = bulk.build_returning_ids(
    f"""
    UPDATE outbox SET
        leased_until = CASE WHEN leased_until IS NOT NULL THEN CAST(:until AS timestamptz) END,
        due_at = CASE WHEN leased_until IS NOT NULL THEN due_at ELSE CAST(:until AS timestamptz) END
    {HOLDS_LEASE_BULK} RETURNING outbox.id
    """,  # noqa: S608 - no input
    **FENCE_TYPES,
)
_RENEWED_BEFORE = bindparam("renewed_before", type_=_ROW.due_at.type)
_ENDS_SOON = CLAIMABLE_AT < _RENEWED_BEFORE
MARK_HANDED_OVER = RENEW_LEASE.values(
    reason=bindparam("said"),
    leased_until=case((and_(HAS_LEASE, _ENDS_SOON), _UNTIL), else_=_ROW.leased_until),
    due_at=case((and_(not_(HAS_LEASE), _ENDS_SOON), _UNTIL), else_=_ROW.due_at),
)
MARK_HANDED_OVER_BULK = bulk.build_returning_ids(
    f"""
    UPDATE outbox SET reason = :said,
        leased_until = CASE WHEN leased_until < :renewed_before THEN CAST(:until AS timestamptz)
            ELSE leased_until END,
        due_at = CASE WHEN leased_until IS NULL AND due_at < :renewed_before THEN CAST(:until AS timestamptz)
            ELSE due_at END
    {HOLDS_LEASE_BULK} RETURNING outbox.id
    """,  # noqa: S608 - no input
    **FENCE_TYPES,
)
"""A lease in its first half is not renewed: where it ends at `due_at`, that would change every index."""
RELEASE_ROW = (
    update(outbox)
    .where(*HOLDS_LEASE)
    .values(
        state="again",
        attempt=_ROW.attempt - 1,
        due_at=bindparam("back_at"),
        leased_until=None,
        changed_at=_NOW,
    )
)
RELEASE_ROW_BULK = bulk.build_statement(
    f"""
    UPDATE outbox SET state = 'again', attempt = attempt - 1, due_at = given.back_at, leased_until = NULL,
        changed_at = :now
    {HOLDS_LEASE_BULK}
    """,  # noqa: S608 - no input
    **FENCE_TYPES,
    back_at="timestamptz",
)
CLOSE_ROWS = (
    update(outbox)
    .where(_ID_IN_ARRAY)
    .values(
        state=bindparam("final"),
        reason=bindparam("why"),
        due_at=None,
        leased_until=None,
        payload=None,
        changed_at=_NOW,
    )
)
CLOSE_UNREADABLE_ROWS = CLOSE_ROWS.values(payload=_ROW.payload)
"""The payload stays: with the right key, or once it was restored, the row can be replayed."""


class ClaimBatch(NamedTuple):
    """What one claim transaction did with the due rows it read."""

    messages: list[ClaimedMessage]
    """Claimed messages."""
    closed_count: int
    """Rows closed because they must not be sent, or cannot be read."""


def claim_rows(
    connection: Connection,
    cipher: AeadCipher,
    limit: int,
    clock: Callable[[], datetime],
    scope: ClaimScope = EVERYTHING,
) -> ClaimBatch:
    """Read at most `limit` due rows, claim them under a lease and close those that must not be sent.

    Fewer rows than were asked for, or none, do not mean that no more are due: a transaction reads one batch, so
    that it ends in time whatever the queue begins with. The lease counts from the time `clock` tells after
    the rows were read.
    """
    messages: list[ClaimedMessage] = []
    closed_count = 0
    now = clock()
    for rows in _read_batch(connection, limit, now, scope):
        sendable, closing = _sort_rows(rows, cipher, now)
        closed_count += _close_rows(connection, closing, now)
        if sendable:
            ids = [message.id for message in sendable]
            connection.execute(CLAIM_ROWS, {"ids": ids, "until": clock() + LEASE, "now": now})
        messages += sendable
    return ClaimBatch(messages, closed_count)


def close_unsendable_rows(
    connection: Connection,
    cipher: AeadCipher,
    limit: int,
    now: datetime,
    scope: ClaimScope = EVERYTHING,
) -> int:
    """Close what must not be sent among the first `limit` due rows; return how many rows that were."""
    closed_count = 0
    for rows in _read_batch(connection, limit, now, scope):
        _, closing = _sort_rows(rows, cipher, now)
        closed_count += _close_rows(connection, closing, now)
    return closed_count


def _read_batch(connection: Connection, limit: int, now: datetime, scope: ClaimScope) -> Iterator[list[DueRow]]:
    """Yield up to `limit` due rows in all, in parts; each part must be claimed or closed before the next.

    The commit is asynchronous: a claim lost in a power cut is made again. None of its rows was handed
    over, because that commit is synchronous.
    """
    bulk.force_index_scans(connection, "synchronous_commit")
    paused = read_paused_partitions(connection)
    partitions = [
        partition
        for partition in list_partitions(connection)
        if partition not in paused
        and scope.admits(partition.operator, partition.route)
        and (partition.priority < DEFERRABLE_PRIORITY or partition[1:] not in scope.saturated)
    ]
    while partitions and limit > 0:
        same_priority = [partition for partition in partitions if partition.priority == partitions[0].priority]
        rows, with_more = select_fairly(connection, same_priority, limit, now)
        limit -= len(rows)
        yield rows
        partitions = with_more + partitions[len(same_priority) :]


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


def _sort_rows(
    rows: Sequence[DueRow], cipher: AeadCipher, now: datetime
) -> tuple[list[ClaimedMessage], dict[tuple[str, str], list[int]]]:
    """Return the messages to send, and the ids of the other rows by final state and reason."""
    messages: list[ClaimedMessage] = []
    closing: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        final = _closing_state(row, now) or _open_row(row, cipher, messages, now)
        if final is not None:
            closing.setdefault(final, []).append(row.id)
    return messages, closing


def _close_rows(connection: Connection, closing: Mapping[tuple[str, str], list[int]], now: datetime) -> int:
    """Write the final states; return the number of rows."""
    for (state, reason), ids in closing.items():
        statement = CLOSE_UNREADABLE_ROWS if reason == UNREADABLE else CLOSE_ROWS
        connection.execute(statement, {"ids": ids, "final": state, "why": reason, "now": now})
    return sum(map(len, closing.values()))


def _open_row(
    row: DueRow, cipher: AeadCipher, messages: list[ClaimedMessage], now: datetime
) -> tuple[str, str] | None:
    """Decrypt a row into `messages`; return the state `dead` when it cannot be decrypted."""
    try:
        item = decrypt_item(row, cipher)
    except ValueError:
        return "dead", UNREADABLE
    lapsed = row.state == "claimed" and row.reason == HANDED_OVER
    messages.append(ClaimedMessage(row.id, row.fence + 1, row.attempt + 1, item, now, lapsed))
    return None


def _closing_state(row: DueRow, now: datetime) -> tuple[str, str] | None:
    if row.expires_at is not None and row.expires_at <= now:
        return "expired", "expired before it was sent"
    if row.opted_out:
        return "opted_out", "the recipient opted out"
    return None
