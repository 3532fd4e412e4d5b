"""Settling the outbox: what a worker reports and what a provider says, and which of them moves a row."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.records import Deed, Notice, Parcel, Receipt, Settlement
from storage.audit import Auditor
from storage.sql import together
from storage.sql.engine import Database
from storage.sql.schema import outbox, receipts
from storage.sql.together import among

ID_LENGTH = 160
TEXT_LENGTH = 1_000

TOGETHER = 500
"""Settlements that may share a transaction."""

FORWARD: Mapping[tuple[str, str], str] = {
    ("again", "in_transit"): "sent",
    ("unknown", "in_transit"): "sent",
    ("pending", "delivered"): "delivered",
    ("again", "delivered"): "delivered",
    ("unknown", "delivered"): "delivered",
    ("sent", "delivered"): "delivered",
    ("dead", "delivered"): "delivered",
    ("unknown", "failed"): "failed",
    ("sent", "failed"): "failed",
}
"""(row's state, provider's word) -> the state it moves to; every other pair changes nothing.

A claimed row is its worker's: the word waits for the settlement.
"""

WAITS = frozenset({"pending", "again", "claimed", "unknown"})
"""The states in which a row may be up for (another) try."""

WEIGHT = {"unknown": 0, "in_transit": 1, "failed": 2, "delivered": 2}
"""A word replaces a lighter one only: the first final word stands."""

_meeting = insert(receipts)
_new, _old = _meeting.excluded, receipts.c


def _weight(column: Any) -> Any:
    return func.coalesce(case(WEIGHT, value=column), -1)


_heavier = _weight(_new.state) > _weight(_old.state)
_KEY = [_old.provider, _old.message_id]
MEET_SEND = _meeting.values(raw="", reason="").on_conflict_do_update(
    index_elements=_KEY, set_={"row": _new.row}
)
MEET_SENDS = together.unnested(
    """
    INSERT INTO receipts (provider, message_id, "row", raw, reason, at)
    SELECT provider, message_id, "row", '', '', CAST(:at AS timestamptz) FROM {rows}
    ON CONFLICT (provider, message_id) DO UPDATE SET "row" = excluded."row"
    """,
    provider="text",
    message_id="text",
    row="bigint",
)
MEET_WORD = _meeting.on_conflict_do_update(
    index_elements=_KEY,
    set_={
        "row": func.coalesce(_old.row, _new.row),
        **{name: case((_heavier, _new[name]), else_=_old[name]) for name in ("state", "raw", "reason", "at")},
    },
).returning(_old.row, _old.state)
WORDS = select(_old.row, _old.state, _old.message_id, _old.at).where(
    among(_old.row, "ids"), _old.state.is_not(None)
)
OWN = (
    select(outbox.c.id, outbox.c.fence, outbox.c.kind, outbox.c.provider, outbox.c.message_id)
    .where(among(outbox.c.id, "ids"), outbox.c.state == "claimed")
    .order_by(outbox.c.id)
    .with_for_update()
)
SETTLE = (
    update(outbox)
    .where(outbox.c.id == bindparam("this"))
    .values(
        state=bindparam("to_state"),
        due_at=bindparam("next_at"),
        provider=bindparam("via"),
        message_id=bindparam("their_id"),
        reason=bindparam("why"),
        payload=case((bindparam("blank", type_=receipts.c.row.type) == 1, None), else_=outbox.c.payload),
        changed_at=bindparam("now"),
    )
)
SETTLE_ALL = together.unnested(
    """
    UPDATE outbox SET state = :to_state, due_at = given.next_at, provider = given.via,
        message_id = given.their_id, reason = :why, changed_at = :now,
        payload = CASE WHEN given.blank = 1 THEN NULL ELSE outbox.payload END
    FROM {rows} WHERE outbox.id = given.this
    """,
    this="bigint",
    next_at="timestamptz",
    via="text",
    their_id="text",
    blank="integer",
)
"""One state and one reason at a time: there are few in a batch, and most often one."""
NAMED = select(outbox.c.id).where(outbox.c.key == bindparam("our_id"))
STANDS = select(outbox.c.state, outbox.c.message_id).where(outbox.c.id == bindparam("row")).with_for_update()
MOVE = (
    update(outbox)
    .where(outbox.c.id == bindparam("this"))
    .values(
        state=bindparam("to_state"),
        due_at=None,
        reason=case((bindparam("why") == "", outbox.c.reason), else_=bindparam("why")),
        payload=case((outbox.c.kind == "code", None), else_=outbox.c.payload),
        changed_at=bindparam("now"),
    )
)


def _kept(word: str, most: int) -> str:
    """A provider's own text as a column takes it: no NUL, no more than fits."""
    return word.replace("\0", "")[:most]


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
            try:
                kept = await self._database.write(partial(self._settle, reports=batch))
            except Exception as error:  # each caller gets it, this task has none
                _answer(batch, error)
            else:
                _answer(batch, kept)

    def _settle(self, connection: Connection, reports: Sequence[_Report]) -> set[int]:
        together.by_index(connection)
        kept = settle_all(connection, reports)
        self._auditor.write(connection, [_deed(reports[index]) for index in sorted(kept)])
        return kept


def _deed(report: _Report) -> Deed:
    """What the audit trail says of an attempt to deliver."""
    item, settlement = report.parcel.item, report.settlement
    to, route = (item.to, item.route) if isinstance(item, Notice) else ("", "")
    thing, outcome = f"row {report.parcel.id}", settlement.state
    return Deed(item.operator, to, "deliver", report.now, route, thing, outcome, item.key)


def _answer(reports: Sequence[_Report], result: "set[int] | Exception") -> None:
    for index, report in enumerate(reports):
        if report.done.done():
            continue
        if isinstance(result, Exception):
            report.done.set_exception(result)
        else:
            report.done.set_result(index in result)


def settle_all(connection: Connection, reports: Sequence[_Report]) -> set[int]:
    """Which of the reports (by position) were still their workers' to make; those are written."""
    ids = sorted({report.parcel.id for report in reports})
    own = {row.id: row for row in connection.execute(OWN, {"ids": ids})}
    kept: dict[int, int] = {}
    for index, report in enumerate(reports):
        row = own.get(report.parcel.id)
        if row is not None and row.fence == report.parcel.fence:
            kept.setdefault(row.id, index)
    if kept:
        chosen = {row_id: reports[index] for row_id, index in kept.items()}
        _write(connection, own, chosen)
    return set(kept.values())


def _write(connection: Connection, own: Mapping[int, Any], chosen: Mapping[int, _Report]) -> None:
    now = max(each.now for each in chosen.values())
    meetings = [_meeting_row(row_id, each) for row_id, each in chosen.items() if each.settlement.message_id]
    if meetings:
        # a provider may give one id twice, and one statement may not meet one receipt twice
        by_id = {(row["provider"], row["message_id"]): row for row in meetings}
        together.execute(connection, MEET_SEND, MEET_SENDS, [by_id[each] for each in sorted(by_id)], at=now)
    words: dict[int, str] = {}
    for row in connection.execute(WORDS, {"ids": list(chosen)}):
        if _concerns(row, chosen[row.row]):
            words[row.row] = max(row.state, words.get(row.row, row.state), key=WEIGHT.__getitem__)
    ends: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row_id, each in chosen.items():
        end, values = _update(own[row_id], each, words.get(row_id))
        ends[end].append(values)
    for (state, why), rows in ends.items():
        together.execute(connection, SETTLE, SETTLE_ALL, rows, to_state=state, why=why, now=now)


def _concerns(word: Any, report: _Report) -> bool:
    """Delivered is delivered, whichever attempt it was; any other word must be about this attempt."""
    if word.state == "delivered":
        return True
    ours = _kept(report.settlement.message_id, ID_LENGTH)
    return bool(word.message_id == ours if ours else word.at >= report.parcel.claimed_at)


def _meeting_row(row_id: int, report: _Report) -> dict[str, Any]:
    settlement = report.settlement
    return {
        "provider": settlement.provider,
        "message_id": _kept(settlement.message_id, ID_LENGTH),
        "row": row_id,
    }


def _update(row: Any, report: _Report, word: str | None) -> tuple[tuple[str, str], dict[str, Any]]:
    """State and reason after the worker's report and the word that came before it, and the rest of the row."""
    settlement = report.settlement
    state = FORWARD.get((settlement.state, word or ""), settlement.state)
    waits = state in WAITS
    return (state, _kept(settlement.reason, TEXT_LENGTH)), {
        "this": row.id,
        "next_at": (settlement.again_at or _at_once(settlement, report.now)) if waits else None,
        "via": settlement.provider or row.provider,
        "their_id": _kept(settlement.message_id, ID_LENGTH) or row.message_id,
        "blank": int(row.kind == "code" and state != "again"),
    }


def _at_once(settlement: Settlement, now: datetime) -> datetime | None:
    """`again` without a time means now; `unknown` without one waits for a receipt."""
    return now if settlement.state == "again" else None


def hear(connection: Connection, receipt: Receipt, now: datetime) -> None:
    """Keep the provider's word where the send will meet it, and move the row if it is known already.

    A receipt that names our own row locks it first: whoever settles at the same moment comes before
    or after, and either way one of the two sees the other.
    """
    named = connection.execute(NAMED, {"our_id": receipt.our_id}).scalar() if receipt.our_id else None
    if named is not None:
        connection.execute(STANDS, {"row": named})
    met = connection.execute(MEET_WORD, _word_row(receipt, named, now)).one()
    if met.row is not None and met.state is not None:
        _advance(connection, met.row, met.state, receipt, now)


def _word_row(receipt: Receipt, named: int | None, now: datetime) -> dict[str, Any]:
    return {
        "provider": receipt.provider,
        "message_id": _kept(receipt.message_id or f"ours:{receipt.our_id}", ID_LENGTH),
        "row": named,
        "state": receipt.state,
        "raw": _kept(receipt.raw, TEXT_LENGTH),
        "reason": _kept(receipt.reason, TEXT_LENGTH),
        "at": now,
    }


def _advance(connection: Connection, row_id: int, word: str, receipt: Receipt, now: datetime) -> None:
    stands = connection.execute(STANDS, {"row": row_id}).first()
    if stands is None or (
        word != "delivered" and stands.message_id not in ("", _kept(receipt.message_id, ID_LENGTH))
    ):
        return  # purged, or the word is about an attempt before the last
    state = FORWARD.get((stands.state, word))
    if state is not None:
        why = _kept(receipt.reason, TEXT_LENGTH) if state == "failed" else ""
        connection.execute(MOVE, {"this": row_id, "to_state": state, "why": why, "now": now})
