"""Opt-outs reported by a delivery receipt: the recipient of a failed SMS gets no further messages."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from flows.domain.records import AuditEntry
from storage.audit.trail import AuditWriter
from storage.outbox.erased_opt_outs import INSERT_OPT_OUT
from storage.sql.tables import outbox

OPT_OUT_REASONS = frozenset({"userinblacklist", "21610"})
"""Reasons, in small letters, with which a provider says that the recipient wants no messages of this sender:
Africa's Talking `UserInBlackList`, Twilio's error 21610 (unsubscribed recipient)."""

SELECT_RECIPIENT = select(outbox.c.operator, outbox.c.to, outbox.c.route).where(outbox.c.id == bindparam("row"))


def record_reported_opt_out(
    connection: Connection, audit_writer: AuditWriter, row_id: int, reason: str, now: datetime
) -> None:
    """Record the opt-out of a failed row's recipient, once, if the reason reports one."""
    if reason.strip().casefold() not in OPT_OUT_REASONS:
        return
    row = connection.execute(SELECT_RECIPIENT, {"row": row_id}).one()
    if row.route != "sms" or not row.to:
        return
    recipient = {"operator": row.operator, "number": row.to, "at": now}
    if connection.execute(INSERT_OPT_OUT, recipient).rowcount:
        audit_writer.append_entries(
            connection, (AuditEntry(row.operator, row.to, "messages.stop", now, "sms"),)
        )
