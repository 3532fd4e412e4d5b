"""Delivery receipts (DLR): store what a provider reports and move the outbox row forward."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import Receipt
from storage.sql.schema import outbox, receipts

ID_LENGTH = 160
TEXT_LENGTH = 1_000
"""Longest text of a provider that is stored, in characters; the rest is cut off."""

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
"""(row's state, reported state) -> the row's new state; any other pair changes nothing.

A claimed row belongs to its worker: its receipt is applied when the worker settles the row.
"""

WEIGHT = {"unknown": 0, "in_transit": 1, "failed": 2, "delivered": 2}
"""Rank of reported states; a report replaces only one of lower rank, so the first final report stands."""

MEETING = insert(receipts)
_new, _old = MEETING.excluded, receipts.c


def _weight(column: Any) -> Any:
    return func.coalesce(case(WEIGHT, value=column), -1)


_heavier = _weight(_new.state) > _weight(_old.state)
KEY = [_old.provider, _old.message_id]
MEET_WORD = MEETING.on_conflict_do_update(
    index_elements=KEY,
    set_={
        "row": func.coalesce(_old.row, _new.row),
        **{name: case((_heavier, _new[name]), else_=_old[name]) for name in ("state", "raw", "reason", "at")},
    },
).returning(_old.row, _old.state)
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


def kept(word: str, most: int) -> str:
    """Make a provider's text fit its column: without NUL characters, cut to `max_length`."""
    return word.replace("\0", "")[:most]


def hear(connection: Connection, receipt: Receipt, now: datetime) -> None:
    """Store a receipt and move its outbox row, if the send was recorded already.

    A receipt with our own id locks its row first: a concurrent settlement runs before or after it, so
    that one of the two always sees the other.
    """
    row_id = connection.execute(NAMED, {"our_id": receipt.our_id}).scalar() if receipt.our_id else None
    if row_id is not None:
        connection.execute(STANDS, {"row": row_id})
    stored = connection.execute(MEET_WORD, _word_row(receipt, row_id, now)).one()
    if stored.row is not None and stored.state is not None:
        _advance(connection, stored.row, stored.state, receipt, now)


def _word_row(receipt: Receipt, named: int | None, now: datetime) -> dict[str, Any]:
    return {
        "provider": receipt.provider,
        "message_id": kept(receipt.message_id or f"ours:{receipt.our_id}", ID_LENGTH),
        "row": named,
        "state": receipt.state,
        "raw": kept(receipt.raw, TEXT_LENGTH),
        "reason": kept(receipt.reason, TEXT_LENGTH),
        "at": now,
    }


def _advance(connection: Connection, row_id: int, word: str, receipt: Receipt, now: datetime) -> None:
    row = connection.execute(STANDS, {"row": row_id}).first()
    if row is None or (word != "delivered" and row.message_id not in ("", kept(receipt.message_id, ID_LENGTH))):
        return  # the row was purged, or the receipt is about an earlier attempt
    state = FORWARD.get((row.state, word))
    if state is not None:
        why = kept(receipt.reason, TEXT_LENGTH) if state == "failed" else ""
        connection.execute(MOVE, {"this": row_id, "to_state": state, "why": why, "now": now})
