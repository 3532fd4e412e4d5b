"""Delivery receipts (DLR): store what a provider reports and move the outbox row forward."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import Receipt
from storage.audit.trail import AuditWriter
from storage.outbox.reported_opt_outs import record_reported_opt_out
from storage.sql.outbox_schema import OUTBOX_COLUMNS, outbox
from storage.sql.tables import receipts

ID_LENGTH = 160
TEXT_LENGTH = 1_000
"""Longest text of a provider that is stored, in characters; the rest is cut off."""

TRANSITIONS: Mapping[tuple[str, str], str] = {
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

STATE_RANK = {"unknown": 0, "in_transit": 1, "failed": 2, "delivered": 2}
"""Rank of reported states; a report replaces only one of lower rank, so the first final report stands."""

INSERT_RECEIPT = insert(receipts)
_NEW_ROW, _STORED_ROW = INSERT_RECEIPT.excluded, receipts.c


def _rank(column: Any) -> Any:
    return func.coalesce(case(STATE_RANK, value=column), -1)


_OUTRANKS_STORED = _rank(_NEW_ROW.state) > _rank(_STORED_ROW.state)
RECEIPT_KEY = [_STORED_ROW.provider, _STORED_ROW.message_id]
UPSERT_RECEIPT = INSERT_RECEIPT.on_conflict_do_update(
    index_elements=RECEIPT_KEY,
    set_={
        "row": func.coalesce(_STORED_ROW.row, _NEW_ROW.row),
        **{
            name: case((_OUTRANKS_STORED, _NEW_ROW[name]), else_=_STORED_ROW[name])
            for name in ("state", "raw", "reason", "at")
        },
    },
).returning(_STORED_ROW.row, _STORED_ROW.state)
SELECT_ROW_ID = select(outbox.c.id).where(outbox.c.key == bindparam("our_id"))
LOCK_ROW = (
    select(OUTBOX_COLUMNS["state"], outbox.c.message_id)
    .where(outbox.c.id == bindparam("row"))
    .with_for_update()
)
UPDATE_STATE = (
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


def clip_text(value: str, max_length: int) -> str:
    """Make a provider's text fit its column: without NUL characters, cut to `max_length`."""
    return value.replace("\0", "")[:max_length]


def record_receipt(connection: Connection, audit_writer: AuditWriter, receipt: Receipt, now: datetime) -> None:
    """Store a receipt and move its outbox row, if the send was recorded already; record an opt-out it reports.

    A receipt with our own id locks its row first: a concurrent settlement runs before or after it, so
    that one of the two always sees the other.
    """
    row_id = connection.execute(SELECT_ROW_ID, {"our_id": receipt.our_id}).scalar() if receipt.our_id else None
    if row_id is not None:
        connection.execute(LOCK_ROW, {"row": row_id})
    stored = connection.execute(UPSERT_RECEIPT, _receipt_row(receipt, row_id, now)).one()
    if stored.row is None or stored.state is None:
        return
    if _advance_row(connection, stored.row, stored.state, receipt, now) == "failed":
        record_reported_opt_out(connection, audit_writer, stored.row, receipt.reason, now)


def _receipt_row(receipt: Receipt, row_id: int | None, now: datetime) -> dict[str, Any]:
    return {
        "provider": receipt.provider,
        "message_id": clip_text(receipt.message_id or f"ours:{receipt.our_id}", ID_LENGTH),
        "row": row_id,
        "state": receipt.state,
        "raw": clip_text(receipt.raw, TEXT_LENGTH),
        "reason": clip_text(receipt.reason, TEXT_LENGTH),
        "at": now,
    }


def _advance_row(
    connection: Connection, row_id: int, reported: str, receipt: Receipt, now: datetime
) -> str | None:
    """Move the row by a reported state; return its new state, None when it does not move."""
    row = connection.execute(LOCK_ROW, {"row": row_id}).first()
    if row is None or (
        reported != "delivered" and row.message_id not in ("", clip_text(receipt.message_id, ID_LENGTH))
    ):
        return None  # the row was purged, or the receipt is about an earlier attempt
    state = TRANSITIONS.get((row.state, reported))
    if state is not None:
        why = clip_text(receipt.reason, TEXT_LENGTH) if state == "failed" else ""
        connection.execute(UPDATE_STATE, {"this": row_id, "to_state": state, "why": why, "now": now})
    return state
