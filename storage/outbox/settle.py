"""Outbox settlement: record delivery outcomes in batches, each checked against its fencing token."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from flows.domain.records import Deed, Notice, Parcel, Settlement
from storage.audit.trail import Auditor
from storage.outbox.receipts import FORWARD, ID_LENGTH, KEY, MEETING, MOVE, TEXT_LENGTH, WEIGHT, kept
from storage.sql import bulk
from storage.sql.bulk import among
from storage.sql.engine import Database
from storage.sql.schema import outbox, receipts

TOGETHER = 500
"""Largest number of outcomes in one transaction."""

WAITS = frozenset({"again", "unknown"})
"""Outcomes after which a row may be claimed again."""

MEET_SEND = MEETING.values(raw="", reason="").on_conflict_do_update(
    index_elements=KEY, set_={"row": MEETING.excluded.row}
)
MEET_SENDS = bulk.unnested(
    """
    INSERT INTO receipts (provider, message_id, "row", raw, reason, at)
    SELECT provider, message_id, "row", '', '', CAST(:at AS timestamptz) FROM {rows}
    ON CONFLICT (provider, message_id) DO UPDATE SET "row" = excluded."row"
    """,
    provider="text",
    message_id="text",
    row="bigint",
)
WORDS = select(receipts.c.row, receipts.c.state, receipts.c.message_id, receipts.c.at).where(
    among(receipts.c.row, "ids"), receipts.c.state.is_not(None)
)
_ROW = outbox.c
_STATE = bindparam("to_state", type_=_ROW.state.type)
SETTLE = (
    update(outbox)
    .where(_ROW.id == bindparam("this"), _ROW.fence == bindparam("at_fence"), _ROW.state == "claimed")
    .values(
        state=_STATE,
        due_at=bindparam("next_at"),
        provider=func.coalesce(func.nullif(bindparam("via"), ""), _ROW.provider),
        message_id=func.coalesce(func.nullif(bindparam("their_id"), ""), _ROW.message_id),
        reason=bindparam("why"),
        payload=case(((_ROW.kind == "code") & (_STATE != "again"), None), else_=_ROW.payload),
        changed_at=bindparam("now"),
    )
    .returning(_ROW.id)
)
SETTLE_ALL = bulk.unnested(
    """
    UPDATE outbox SET state = given.to_state, due_at = given.next_at, reason = given.why, changed_at = :now,
        provider = coalesce(nullif(given.via, ''), outbox.provider),
        message_id = coalesce(nullif(given.their_id, ''), outbox.message_id),
        payload = CASE WHEN outbox.kind = 'code' AND given.to_state <> 'again' THEN NULL ELSE payload END
    FROM {rows}
    WHERE outbox.id = given.this AND outbox.fence = given.at_fence AND outbox.state = 'claimed'
    RETURNING outbox.id
    """,
    this="bigint",
    at_fence="integer",
    to_state="text",
    next_at="timestamptz",
    via="text",
    their_id="text",
    why="text",
)
"""One statement for all rows, in the order of their ids, as `renew_leases` locks them: no deadlock."""


@dataclass(slots=True)
class _Report:
    parcel: Parcel
    settlement: Settlement
    now: datetime
    done: asyncio.Future[bool]


class Settler:
    """Batches outcomes: those that arrive while a transaction runs share the next one."""

    def __init__(self, database: Database, auditor: Auditor) -> None:
        self._database = database
        self._auditor = auditor
        self._reports: list[_Report] = []
        self._flushing: asyncio.Task[None] | None = None

    def settle(self, parcel: Parcel, settlement: Settlement, now: datetime) -> asyncio.Future[bool]:
        """Record an outcome; the future resolves after the commit, to False when the fence is stale.

        It is a plain future, because a task for each outcome would cost more than writing its row.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._reports.append(_Report(parcel, settlement, now, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return done

    async def _flush(self) -> None:
        while self._reports:
            batch, self._reports = self._reports[:TOGETHER], self._reports[TOGETHER:]
            latest = _latest(batch)
            try:
                settled_ids = await self._database.write(partial(self._settle, latest=latest))
            except Exception as error:  # passed to each caller; this task has none
                for report in _unanswered(batch):
                    report.done.set_exception(error)
            else:
                for report in _unanswered(batch):
                    row_id = report.parcel.id
                    report.done.set_result(row_id in settled_ids and latest[row_id] is report)

    def _settle(self, connection: Connection, latest: Mapping[int, _Report]) -> set[int]:
        bulk.by_index(connection)
        settled_ids = _settled(connection, latest)
        reports = [latest[row_id] for row_id in sorted(settled_ids)]
        if reports:
            _meet(connection, reports)
            self._auditor.write(connection, [_deed(report) for report in reports])
        return settled_ids


def _latest(reports: Sequence[_Report]) -> dict[int, _Report]:
    """Return the report with the highest fence of each row, by row id in ascending order."""
    latest: dict[int, _Report] = {}
    for report in reports:
        previous = latest.get(report.parcel.id)
        if previous is None or previous.parcel.fence < report.parcel.fence:
            latest[report.parcel.id] = report
    return dict(sorted(latest.items()))


def _unanswered(reports: Sequence[_Report]) -> list[_Report]:
    """Return the reports whose caller still waits."""
    return [report for report in reports if not report.done.done()]


def _settled(connection: Connection, latest: Mapping[int, _Report]) -> set[int]:
    """Write the outcomes; return the ids of the rows whose lease was still held."""
    now = max(report.now for report in latest.values())
    rows = [_row(report) for report in latest.values()]
    return bulk.found(connection, SETTLE, SETTLE_ALL, rows, now=now)


def _row(report: _Report) -> tuple[Any, ...]:
    """Return a report as the values of `SETTLE_ROW_BULK`; empty provider fields keep the stored values."""
    message, outcome = report.parcel, report.settlement
    next_at = _next_at(outcome, report.now) if outcome.state in WAITS else None
    their_id, why = kept(outcome.message_id, ID_LENGTH), kept(outcome.reason, TEXT_LENGTH)
    return message.id, message.fence, outcome.state, next_at, outcome.provider, their_id, why


def _next_at(told: Settlement, now: datetime) -> datetime | None:
    """Return when to try again: `again` without a time means now, `unknown` without one waits for a receipt."""
    return told.again_at or (now if told.state == "again" else None)


def _meet(connection: Connection, reports: Sequence[_Report]) -> None:
    """Store the message ids for later receipts and apply the receipts that arrived before."""
    now = max(report.now for report in reports)
    sends = [
        (report.settlement.provider, kept(report.settlement.message_id, ID_LENGTH), report.parcel.id)
        for report in reports
        if report.settlement.message_id
    ]
    if sends:
        # a provider may give one id twice, and a statement must not upsert one receipt twice
        by_id = {send[:2]: send for send in sends}
        bulk.execute(connection, MEET_SEND, MEET_SENDS, sorted(by_id.values()), at=now)
    moves = [
        {"this": row_id, "to_state": state, "why": "", "now": now}
        for row_id, state in _moved(connection, reports)
    ]
    if moves:
        connection.execute(MOVE, moves)


def _moved(connection: Connection, reports: Sequence[_Report]) -> Collection[tuple[int, str]]:
    """Return the rows whose receipt arrived before the outcome, with the state it moves each to."""
    by_id = {report.parcel.id: report for report in reports}
    states: dict[int, str] = {}
    for row in connection.execute(WORDS, {"ids": list(by_id)}):
        if _concerns(row, by_id[row.row]):
            states[row.row] = max(row.state, states.get(row.row, row.state), key=WEIGHT.__getitem__)
    moves = (
        (row_id, FORWARD.get((by_id[row_id].settlement.state, states[row_id]))) for row_id in sorted(states)
    )
    return [(row_id, state) for row_id, state in moves if state is not None]


def _concerns(word: Any, report: _Report) -> bool:
    """Return whether a receipt applies: `delivered` for any attempt, other states only for this attempt."""
    if word.state == "delivered":
        return True
    our_message_id = kept(report.settlement.message_id, ID_LENGTH)
    return bool(word.message_id == our_message_id if our_message_id else word.at >= report.parcel.claimed_at)


def _deed(report: _Report) -> Deed:
    """Return the audit entry of a delivery attempt."""
    item, settlement = report.parcel.item, report.settlement
    to, route = (item.to, item.route) if isinstance(item, Notice) else ("", "")
    object_id, outcome = f"row {report.parcel.id}", settlement.state
    return Deed(item.operator, to, "deliver", report.now, route, object_id, outcome, item.key)
