"""Settling the outbox: what workers report of their rows, many in a transaction, each under its fence."""

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
"""Settlements that may share a transaction."""

WAITS = frozenset({"again", "unknown"})
"""The settlements after which a row may be up for another try."""

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
"""All in one statement and in the order of their ids, as `hold` takes them: the two never wait in a ring."""


@dataclass(slots=True)
class _Report:
    parcel: Parcel
    settlement: Settlement
    now: datetime
    done: asyncio.Future[bool]


class Settler:
    """Collects the settlements that come while one transaction is under way into the next."""

    def __init__(self, database: Database, auditor: Auditor) -> None:
        self._database = database
        self._auditor = auditor
        self._reports: list[_Report] = []
        self._flushing: asyncio.Task[None] | None = None

    def settle(self, parcel: Parcel, settlement: Settlement, now: datetime) -> asyncio.Future[bool]:
        """Answered after the commit. A future, for a task for each of a batch would cost more than its row."""
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
                ours = await self._database.write(partial(self._settle, latest=latest))
            except Exception as error:  # each caller gets it, this task has none
                for report in _unanswered(batch):
                    report.done.set_exception(error)
            else:
                for report in _unanswered(batch):
                    row_id = report.parcel.id
                    report.done.set_result(row_id in ours and latest[row_id] is report)

    def _settle(self, connection: Connection, latest: Mapping[int, _Report]) -> set[int]:
        bulk.by_index(connection)
        ours = _settled(connection, latest)
        reports = [latest[row_id] for row_id in sorted(ours)]
        if reports:
            _meet(connection, reports)
            self._auditor.write(connection, [_deed(report) for report in reports])
        return ours


def _latest(reports: Sequence[_Report]) -> dict[int, _Report]:
    """The one report of each row that may be its worker's to make, by the row's id and in their order."""
    latest: dict[int, _Report] = {}
    for report in reports:
        known = latest.get(report.parcel.id)
        if known is None or known.parcel.fence < report.parcel.fence:
            latest[report.parcel.id] = report
    return dict(sorted(latest.items()))


def _unanswered(reports: Sequence[_Report]) -> list[_Report]:
    """Those whose caller still waits."""
    return [report for report in reports if not report.done.done()]


def _settled(connection: Connection, latest: Mapping[int, _Report]) -> set[int]:
    """Write what is reported; the ids of the rows that were still their workers'."""
    now = max(report.now for report in latest.values())
    rows = [_row(report) for report in latest.values()]
    return bulk.found(connection, SETTLE, SETTLE_ALL, rows, now=now)


def _row(report: _Report) -> tuple[Any, ...]:
    """A report as `SETTLE_ALL` takes it; what the provider did not say stays as it was."""
    parcel, told = report.parcel, report.settlement
    next_at = _next_at(told, report.now) if told.state in WAITS else None
    theirs, why = kept(told.message_id, ID_LENGTH), kept(told.reason, TEXT_LENGTH)
    return parcel.id, parcel.fence, told.state, next_at, told.provider, theirs, why


def _next_at(told: Settlement, now: datetime) -> datetime | None:
    """`again` without a time means now; `unknown` without one waits for a receipt."""
    return told.again_at or (now if told.state == "again" else None)


def _meet(connection: Connection, reports: Sequence[_Report]) -> None:
    """Leave each message's id where its receipt will look; what the receipts said before now moves the rows."""
    now = max(report.now for report in reports)
    sends = [
        (report.settlement.provider, kept(report.settlement.message_id, ID_LENGTH), report.parcel.id)
        for report in reports
        if report.settlement.message_id
    ]
    if sends:
        # a provider may give one id twice, and one statement may not meet one receipt twice
        once = {send[:2]: send for send in sends}
        bulk.execute(connection, MEET_SEND, MEET_SENDS, sorted(once.values()), at=now)
    moves = [
        {"this": row_id, "to_state": state, "why": "", "now": now}
        for row_id, state in _moved(connection, reports)
    ]
    if moves:
        connection.execute(MOVE, moves)


def _moved(connection: Connection, reports: Sequence[_Report]) -> Collection[tuple[int, str]]:
    """The rows a word was waiting for, and the state it moves each to."""
    by_id = {report.parcel.id: report for report in reports}
    words: dict[int, str] = {}
    for row in connection.execute(WORDS, {"ids": list(by_id)}):
        if _concerns(row, by_id[row.row]):
            words[row.row] = max(row.state, words.get(row.row, row.state), key=WEIGHT.__getitem__)
    ends = ((row_id, FORWARD.get((by_id[row_id].settlement.state, words[row_id]))) for row_id in sorted(words))
    return [(row_id, state) for row_id, state in ends if state is not None]


def _concerns(word: Any, report: _Report) -> bool:
    """Delivered is delivered, whichever attempt it was; any other word must be about this attempt."""
    if word.state == "delivered":
        return True
    ours = kept(report.settlement.message_id, ID_LENGTH)
    return bool(word.message_id == ours if ours else word.at >= report.parcel.claimed_at)


def _deed(report: _Report) -> Deed:
    """What the audit trail says of an attempt to deliver."""
    item, settlement = report.parcel.item, report.settlement
    to, route = (item.to, item.route) if isinstance(item, Notice) else ("", "")
    thing, outcome = f"row {report.parcel.id}", settlement.state
    return Deed(item.operator, to, "deliver", report.now, route, thing, outcome, item.key)
