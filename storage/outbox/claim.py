"""Outbox claim: take due rows under a lease with a fencing token, renew leases, release rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, update

from flows.domain.claim_scope import EVERYTHING, ClaimScope
from flows.domain.records import ClaimedMessage, DeferredStep, OutboundMessage
from storage.crypto import AeadCipher
from storage.outbox.due_rows import DEFERRABLE_PRIORITY, DueRow, list_partitions, select_fairly
from storage.outbox.enqueue import decrypt_item
from storage.outbox.lane_pauses import read_paused_partitions
from storage.outbox.leases import LEASE, end_leases, insert_lease
from storage.outbox.waiting import (
    CAN_BE_SENT,
    DELETE_ENTRIES,
    HANDED_OVER,
    WAITING_STATES,
    failed_or_null,
    queue_expired_leases,
    queue_rows,
)
from storage.sql import bulk
from storage.sql.bulk import in_array
from storage.sql.tables import outbox

UNREADABLE = "unreadable"
"""Reason of a row whose payload was deleted, damaged, or encrypted with another key."""
FINISHED = ("", "")
"""Final state and reason of an entry whose row was finished otherwise: only the entry is deleted."""

_ROW = outbox.c
_NOW = bindparam("now", type_=_ROW.changed_at.type)
_FINAL = bindparam("final", type_=_ROW.state.type)
RELEASE_ROW = (
    update(outbox).where(_ROW.id == bindparam("this"), CAN_BE_SENT).values(state="again", changed_at=_NOW)
)
RELEASE_ROW_BULK = bulk.build_statement(
    """
    UPDATE outbox SET state = 'again', changed_at = :now FROM {rows}
    WHERE outbox.id = given.this AND outbox.state IN ('pending', 'again', 'unknown', 'claimed')
    """,
    this="bigint",
)
CLOSE_ROWS = (
    update(outbox)
    .where(in_array(_ROW.id, "ids"))
    .values(
        state=_FINAL,
        failed_state=failed_or_null(_FINAL),
        reason=bindparam("why"),
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
    """Read at most `limit` due rows, claim them under one lease and close those that must not be sent.

    Fewer rows than were asked for, or none, do not mean that no more are due: a transaction reads one batch, so
    that it ends in time whatever the queue begins with. The lease counts from the time `clock` tells after
    the rows were read.
    """
    claimed: list[tuple[DueRow, OutboundMessage | DeferredStep]] = []
    closed_count = 0
    now = clock()
    for rows in _read_batch(connection, limit, now, scope):
        sendable, closing = _sort_rows(rows, cipher, now)
        closed_count += _close_rows(connection, closing, now)
        claimed += sendable
    if not claimed:
        return ClaimBatch([], closed_count)
    token = insert_lease(connection, [row.id for row, _ in claimed], clock() + LEASE)
    return ClaimBatch([_claimed_message(row, item, token, now) for row, item in claimed], closed_count)


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
    """Take up to `limit` due entries and yield their rows in parts, each to be claimed or closed.

    The commit is asynchronous: a claim lost in a power cut is made again. None of its rows was handed
    over, because that commit is synchronous.
    """
    bulk.force_index_scans(connection, "synchronous_commit")
    queue_expired_leases(connection, now)
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
        if rows:
            connection.execute(DELETE_ENTRIES, {"ids": [row.id for row in rows]})
        yield rows
        partitions = with_more + partitions[len(same_priority) :]


def release_rows(
    connection: Connection, releases: Sequence[tuple[ClaimedMessage, datetime]], now: datetime
) -> None:
    """Release claimed rows unsent, each until its instant; no attempt is counted."""
    bulk.force_index_scans(connection)
    held = end_leases(connection, [message for message, _ in releases])
    back = sorted((message.id, at) for message, at in releases if message.id in held)
    if back:
        bulk.execute_rows(connection, RELEASE_ROW, RELEASE_ROW_BULK, [(row_id,) for row_id, _ in back], now=now)
        queue_rows(connection, back)


def _sort_rows(
    rows: Sequence[DueRow], cipher: AeadCipher, now: datetime
) -> tuple[list[tuple[DueRow, OutboundMessage | DeferredStep]], dict[tuple[str, str], list[int]]]:
    """Return the rows to send with what they hold, and the ids of the others by final state and reason."""
    sendable: list[tuple[DueRow, OutboundMessage | DeferredStep]] = []
    closing: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        final = _closing_state(row, now)
        if final is None:
            try:
                sendable.append((row, decrypt_item(row, cipher)))
                continue
            except ValueError:
                final = "dead", UNREADABLE
        closing.setdefault(final, []).append(row.id)
    return sendable, closing


def _claimed_message(
    row: DueRow, item: OutboundMessage | DeferredStep, token: int, now: datetime
) -> ClaimedMessage:
    lapsed = row.state == "claimed" and row.reason == HANDED_OVER
    return ClaimedMessage(row.id, token, row.attempt + 1, item, now, lapsed)


def _close_rows(connection: Connection, closing: Mapping[tuple[str, str], list[int]], now: datetime) -> int:
    """Write the final states; return the number of rows."""
    for (state, reason), ids in closing.items():
        if (state, reason) == FINISHED:
            continue
        statement = CLOSE_UNREADABLE_ROWS if reason == UNREADABLE else CLOSE_ROWS
        connection.execute(statement, {"ids": ids, "final": state, "why": reason, "now": now})
    return sum(map(len, closing.values()))


def _closing_state(row: DueRow, now: datetime) -> tuple[str, str] | None:
    if row.state not in WAITING_STATES:
        return FINISHED
    if row.expires_at is not None and row.expires_at <= now:
        return "expired", "expired before it was sent"
    if row.opted_out:
        return "opted_out", "the recipient opted out"
    return None
