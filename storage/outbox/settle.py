"""Outbox settlement: record delivery outcomes in batches, each checked against its fencing token."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from flows.domain.call_coalescer import CallCoalescer
from flows.domain.records import AuditEntry, ClaimedMessage, DeliveryOutcome, OutboundMessage, Receipt
from storage.audit.trail import AuditWriter
from storage.outbox.claim import FENCE_TYPES, HOLDS_LEASE, HOLDS_LEASE_BULK
from storage.outbox.receipts import (
    ID_LENGTH,
    INSERT_RECEIPT,
    RECEIPT_KEY,
    STATE_RANK,
    TEXT_LENGTH,
    TRANSITIONS,
    UPDATE_STATE,
    clip_text,
    record_receipt,
)
from storage.outbox.reported_opt_outs import record_reported_opt_out
from storage.sql import bulk
from storage.sql.bulk import in_array
from storage.sql.engine import Database
from storage.sql.outbox_schema import outbox
from storage.sql.tables import receipts

MAX_BATCH = 500
"""Largest number of outcomes in one transaction."""

RETRY_STATES = frozenset({"again", "unknown"})
"""Outcomes after which a row may be claimed again."""

UPSERT_SEND = INSERT_RECEIPT.values(raw="", reason="").on_conflict_do_update(
    index_elements=RECEIPT_KEY, set_={"row": INSERT_RECEIPT.excluded.row}
)
UPSERT_SEND_BULK = bulk.build_statement(
    """
    INSERT INTO receipts (provider, message_id, "row", raw, reason, at)
    SELECT provider, message_id, "row", '', '', CAST(:at AS timestamptz) FROM {rows}
    ON CONFLICT (provider, message_id) DO UPDATE SET "row" = excluded."row"
    """,
    provider="text",
    message_id="text",
    row="bigint",
)
SELECT_EARLY_RECEIPTS = select(
    receipts.c.row, receipts.c.state, receipts.c.message_id, receipts.c.reason, receipts.c.at
).where(in_array(receipts.c.row, "ids"), receipts.c.state.is_not(None))
_ROW = outbox.c
_STATE = bindparam("to_state", type_=_ROW.state.type)
SETTLE_ROW = (
    update(outbox)
    .where(*HOLDS_LEASE)
    .values(
        state=_STATE,
        due_at=bindparam("next_at"),
        leased_until=None,
        provider=func.coalesce(func.nullif(bindparam("via"), ""), _ROW.provider),
        message_id=func.coalesce(func.nullif(bindparam("their_id"), ""), _ROW.message_id),
        reason=bindparam("why"),
        payload=case(((_ROW.kind == "code") & (_STATE != "again"), None), else_=_ROW.payload),
        changed_at=bindparam("now"),
    )
    .returning(_ROW.id)
)
SETTLE_ROW_BULK = bulk.build_returning_ids(
    f"""
    UPDATE outbox SET state = given.to_state, due_at = given.next_at, leased_until = NULL,
        reason = given.why, changed_at = :now,
        provider = coalesce(nullif(given.via, ''), outbox.provider),
        message_id = coalesce(nullif(given.their_id, ''), outbox.message_id),
        payload = CASE WHEN outbox.kind = 'code' AND given.to_state <> 'again' THEN NULL ELSE payload END
    {HOLDS_LEASE_BULK} RETURNING outbox.id
    """,  # noqa: S608 - no input
    **FENCE_TYPES,
    to_state="text",
    next_at="timestamptz",
    via="text",
    their_id="text",
    why="text",
)
"""One statement for all rows, in the order of their ids, as `renew_leases` locks them: no deadlock."""


@dataclass(slots=True)
class _OutcomeReport:
    message: ClaimedMessage
    outcome: DeliveryOutcome
    now: datetime


class OutcomeBatcher:
    """Batches outcomes: those that arrive while a transaction runs share the next one."""

    def __init__(self, database: Database, audit_writer: AuditWriter) -> None:
        self._database = database
        self._audit_writer = audit_writer
        self._reports = CallCoalescer(self._settle_batch, max_batch=MAX_BATCH, keeps_abandoned=True)

    def record_outcome(
        self, message: ClaimedMessage, outcome: DeliveryOutcome, now: datetime
    ) -> asyncio.Future[bool]:
        """Record an outcome; the future resolves after the commit, to False when the fence is stale.

        It is recorded even if the caller gives up: the message has been sent.
        """
        return self._reports.submit(_OutcomeReport(message, outcome, now))

    async def _settle_batch(self, reports: Sequence[_OutcomeReport]) -> list[bool]:
        latest = _latest_by_row(reports)
        settled_ids = await self._database.write(partial(self._write_batch, latest=latest))
        return [report.message.id in settled_ids and latest[report.message.id] is report for report in reports]

    def _write_batch(self, connection: Connection, latest: Mapping[int, _OutcomeReport]) -> set[int]:
        bulk.force_index_scans(connection)
        settled_ids = _update_rows(connection, latest)
        self._keep_late_ids(connection, [latest[row_id] for row_id in latest if row_id not in settled_ids])
        reports = [latest[row_id] for row_id in sorted(settled_ids)]
        if reports:
            self._match_receipts(connection, reports)
            self._audit_writer.append_entries(connection, [_audit_entry(report) for report in reports])
        return settled_ids

    def _keep_late_ids(self, connection: Connection, late_reports: Sequence[_OutcomeReport]) -> None:
        """Keep the message ids of workers that lost their lease, as receipts: the provider has the message."""
        for report in late_reports:
            item, outcome = report.message.item, report.outcome
            if outcome.message_id:
                taken = Receipt(outcome.provider, outcome.message_id, "in_transit", "taken late", "", item.key)
                record_receipt(connection, self._audit_writer, taken, report.now)

    def _match_receipts(self, connection: Connection, reports: Sequence[_OutcomeReport]) -> None:
        """Store the message ids for later receipts and apply the receipts that arrived before."""
        now = max(report.now for report in reports)
        _store_message_ids(connection, reports, now)
        moves = _early_receipt_moves(connection, reports)
        if moves:
            rows = [
                {"this": row_id, "to_state": state, "why": reason, "now": now}
                for row_id, state, reason in moves
            ]
            connection.execute(UPDATE_STATE, rows)
        for row_id, _, reason in moves:
            record_reported_opt_out(connection, self._audit_writer, row_id, reason, now)


def _latest_by_row(reports: Sequence[_OutcomeReport]) -> dict[int, _OutcomeReport]:
    """Return the report with the highest fence of each row, by row id in ascending order."""
    latest: dict[int, _OutcomeReport] = {}
    for report in reports:
        previous = latest.get(report.message.id)
        if previous is None or previous.message.fencing_token < report.message.fencing_token:
            latest[report.message.id] = report
    return dict(sorted(latest.items()))


def _update_rows(connection: Connection, latest: Mapping[int, _OutcomeReport]) -> set[int]:
    """Write the outcomes; return the ids of the rows whose lease was still held."""
    now = max(report.now for report in latest.values())
    rows = [_outcome_values(report) for report in latest.values()]
    return bulk.execute_returning_ids(connection, SETTLE_ROW, SETTLE_ROW_BULK, rows, now=now)


def _outcome_values(report: _OutcomeReport) -> tuple[Any, ...]:
    """Return a report as the values of `SETTLE_ROW_BULK`; empty provider fields keep the stored values."""
    message, outcome = report.message, report.outcome
    next_at = _next_attempt_at(outcome, report.now) if outcome.state in RETRY_STATES else None
    their_id, why = clip_text(outcome.message_id, ID_LENGTH), clip_text(outcome.reason, TEXT_LENGTH)
    return message.id, message.fencing_token, outcome.state, next_at, outcome.provider, their_id, why


def _next_attempt_at(outcome: DeliveryOutcome, now: datetime) -> datetime | None:
    """Return when to try again: `again` without a time means now, `unknown` without one waits for a receipt."""
    return outcome.retry_at or (now if outcome.state == "again" else None)


def _store_message_ids(connection: Connection, reports: Sequence[_OutcomeReport], now: datetime) -> None:
    """Store the providers' message ids, for later receipts."""
    sends = [
        (report.outcome.provider, clip_text(report.outcome.message_id, ID_LENGTH), report.message.id)
        for report in reports
        if report.outcome.message_id
    ]
    if sends:
        # a provider may give one id twice, and a statement must not upsert one receipt twice
        by_id = {send[:2]: send for send in sends}
        bulk.execute_rows(connection, UPSERT_SEND, UPSERT_SEND_BULK, sorted(by_id.values()), at=now)


def _early_receipt_moves(
    connection: Connection, reports: Sequence[_OutcomeReport]
) -> Collection[tuple[int, str, str]]:
    """Return the rows with a receipt from before the outcome: the new state of each, and why it failed."""
    by_id = {report.message.id: report for report in reports}
    reported: dict[int, tuple[str, str]] = {}
    for row in connection.execute(SELECT_EARLY_RECEIPTS, {"ids": list(by_id)}):
        if _applies_to_attempt(row, by_id[row.row]):
            pair = (row.state, row.reason)
            reported[row.row] = max(pair, reported.get(row.row, pair), key=lambda known: STATE_RANK[known[0]])
    moves = (
        (row_id, TRANSITIONS.get((by_id[row_id].outcome.state, state)), reason)
        for row_id, (state, reason) in sorted(reported.items())
    )
    return [(row_id, state, reason if state == "failed" else "") for row_id, state, reason in moves if state]


def _applies_to_attempt(receipt: Any, report: _OutcomeReport) -> bool:
    """Return whether a receipt applies: `delivered` for any attempt, other states only for this attempt."""
    if receipt.state == "delivered":
        return True
    our_message_id = clip_text(report.outcome.message_id, ID_LENGTH)
    return bool(
        receipt.message_id == our_message_id if our_message_id else receipt.at >= report.message.claimed_at
    )


def _audit_entry(report: _OutcomeReport) -> AuditEntry:
    """Return the audit entry of a delivery attempt."""
    item, state = report.message.item, report.outcome.state
    to, route = (item.to, item.route) if isinstance(item, OutboundMessage) else ("", "")
    object_id = f"row {report.message.id}"
    return AuditEntry(item.operator, to, "deliver", report.now, route, object_id, state, item.key)
