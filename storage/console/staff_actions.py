"""Actions of staff in SQL: each once per form, in one transaction with its audit entry."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select

from flows.domain.records import AuditEntry, OutboundMessage, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.idempotency import reserve_key
from storage.ledger.sql_ledger import DELETE_OPT_OUT
from storage.outbox.enqueue import KEY_PURPOSE, decrypt_item, enqueue_items
from storage.outbox.erased_opt_outs import ErasedOptOuts
from storage.outbox.sql_outbox import REPLAY_ROW
from storage.privacy.data_map import DataSubject
from storage.sql.engine import Database
from storage.sql.outbox_schema import ROW_STATE, outbox
from storage.sql.tables import preferences
from storage.sql.wakeup import notify_workers

ActionOutcome = Literal["done", "repeated", "nothing"]
"""Done now; done before by the same form; nothing to do, or not to be done."""
RESENT_STATES = ("sent", "delivered", "failed", "dead", "expired", "unknown")
"""States of notices that may be sent once more; one that is still under way may not."""
_ROW = outbox.c
SELECT_NOTICE = select(outbox).where(
    _ROW.id == bindparam("this"),
    _ROW.operator == bindparam("of"),
    _ROW.to.in_(bindparam("recipients", expanding=True)),
    _ROW.kind == "notice",
    ROW_STATE.in_(RESENT_STATES),
    _ROW.payload.is_not(None),
)
SELECT_EMAIL = select(preferences.c.email).where(
    preferences.c.operator == bindparam("of"), preferences.c.subscription == bindparam("owner")
)
SELECT_RECIPIENT = select(_ROW.operator, _ROW.to).where(_ROW.id == bindparam("this"))


class SqlStaffActions:
    """Changes that staff make; `key` is that of the form, so that a form sent twice acts once."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer, self._erased_opt_outs = AuditWriter(secret), ErasedOptOuts(secret)
        self._cipher = AeadCipher(secret, KEY_PURPOSE)

    async def record_once(self, key: str, entry: AuditEntry) -> bool:
        """Write the audit entry of an action that follows; False for a form that was sent before."""

        def job(connection: Connection) -> bool:
            if reserve_key(connection, key, "done", None, entry.happened_at) is not None:
                return False
            self._audit_writer.append_entries(connection, (entry,))
            return True

        return await self._database.write(job)

    async def lift_opt_out(self, subject: DataSubject, key: str, entry: AuditEntry) -> ActionOutcome:
        """Delete a number's STOP, so that notices go out again."""
        hashed = self._erased_opt_outs.hash_recipient(subject.operator, subject.number)

        def job(connection: Connection) -> ActionOutcome:
            if reserve_key(connection, key, "done", None, entry.happened_at) is not None:
                return "repeated"
            rows = [{"operator": subject.operator, "number": each} for each in (subject.number, hashed)]
            deleted = sum(connection.execute(DELETE_OPT_OUT, row).rowcount for row in rows)
            self._audit_writer.append_entries(connection, (entry,) if deleted else ())
            return "done" if deleted else "nothing"

        return await self._database.write(job)

    async def resend_notice(
        self, subject: DataSubject, row_id: int, key: str, entry: AuditEntry
    ) -> ActionOutcome:
        """Send a notice to this person once more, as a message of its own; STOP is respected as ever."""

        def job(connection: Connection) -> ActionOutcome:
            notice = self._find_notice(connection, subject, row_id)
            if notice is None:
                return "nothing"
            if reserve_key(connection, key, "done", None, entry.happened_at) is not None:
                return "repeated"
            again = replace(notice, key=key, expires_at=None)
            enqueue_items(connection, self._cipher, (again,), entry.happened_at)
            self._audit_writer.append_entries(connection, (entry,))
            return "done"

        return await self._write_and_wake(job)

    async def replay_row(self, row_id: int, operators: Collection[str], entry: AuditEntry) -> ActionOutcome:
        """Send a row that is dead, failed, unknown or expired again, if it is of one of these operators.

        The entry is written about the row's recipient.
        """

        def job(connection: Connection) -> ActionOutcome:
            row = connection.execute(SELECT_RECIPIENT, {"this": row_id}).first()
            if row is None or row.operator not in operators:
                return "nothing"
            if not connection.execute(REPLAY_ROW, {"row": row_id, "again_at": entry.happened_at}).rowcount:
                return "nothing"
            notify_workers(connection)
            about = replace(entry, operator=row.operator, actor=row.to or entry.actor)
            self._audit_writer.append_entries(connection, (about,))
            return "done"

        return await self._write_and_wake(job)

    async def _write_and_wake(self, job: Callable[[Connection], ActionOutcome]) -> ActionOutcome:
        """Run an action that lets a message go out, and wake the workers of this process for it."""
        outcome = await self._database.write(job)
        if outcome == "done":
            self._database.wakeup.wake_waiters()
        return outcome

    def _find_notice(self, connection: Connection, subject: DataSubject, row_id: int) -> OutboundMessage | None:
        """Return a finished notice to this person; None for any other row."""
        owner = {"of": subject.operator, "owner": subject.subscription}
        email = connection.execute(SELECT_EMAIL, owner).scalar() if subject.subscription else ""
        recipients = [subject.number, *filter(None, [email])]
        values: dict[str, Any] = {"this": row_id, "of": subject.operator, "recipients": recipients}
        row = connection.execute(SELECT_NOTICE, values).first()
        try:
            item = None if row is None else decrypt_item(row, self._cipher)
        except ValueError:
            return None
        return item if isinstance(item, OutboundMessage) else None
