"""Number ownership: detect recycled numbers and delete the previous owner's data."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, not_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import AuditEntry, Secret, Subscriber
from storage.audit.trail import AuditWriter
from storage.crypto import derive_key, keyed_hash, subject_hash
from storage.outbox.erased_opt_outs import ErasedOptOuts
from storage.privacy.data_map import DataSubject, LineKeys, delete_rows, searchable_tables
from storage.sql.outbox_schema import IS_CLAIMED, outbox
from storage.sql.tables import bindings, consents, preferences

_INSERT_BINDING = upsert(bindings)
ADD_BINDING = _INSERT_BINDING.on_conflict_do_nothing(index_elements=[bindings.c.line])
UPDATE_BINDING = (
    update(bindings)
    .where(bindings.c.line == bindparam("this"))
    .values({name: bindparam(name) for name in ("subscription", "since", "at")})
)
SELECT_BINDING = select(bindings.c.subscription, bindings.c.since).where(bindings.c.line == bindparam("this"))
LOCK_BINDING = SELECT_BINDING.with_for_update()
CANCEL_WAITING_MESSAGES = (
    update(outbox)
    .where(
        outbox.c.operator == bindparam("of"),
        outbox.c.to == bindparam("number"),
        outbox.c.due_at.is_not(None),
        not_(IS_CLAIMED),
    )
    .values(state="dead", reason="the number has a new owner", due_at=None, payload=None)
)
FORGET_NOTIFY_NUMBER = (
    update(preferences)
    .where(preferences.c.operator == bindparam("of"), preferences.c.notify_number == bindparam("number"))
    .values(notify_number="")
)
"""Ends notices of other lines to a number that is erased or has a new owner."""
SELECT_LATEST_CONSENTS = text(
    """
    SELECT what, given, language FROM consents WHERE id IN (
        SELECT max(id) FROM consents WHERE operator = :operator AND subscription = :owner GROUP BY what
    )
    """
)
INSERT_WITHDRAWALS = insert(consents)


class NumberOwners:
    """Binds numbers to subscriptions; numbers are stored as keyed hashes."""

    def __init__(self, secret: Secret) -> None:
        self._key = derive_key(secret, "lines")
        self._codes_key = derive_key(secret, "codes")
        self._audit_writer, self.erased_opt_outs = AuditWriter(secret), ErasedOptOuts(secret)

    def line_hash(self, operator: str, number: str) -> bytes:
        """Return the keyed hash that replaces a number in `bindings`."""
        return keyed_hash(self._key, "line", operator, number)

    def owner_changed(self, connection: Connection, number: str, owner: Subscriber, today: date) -> bool | None:
        """Return whether the number has a new owner since it was last seen; None when it was never seen."""
        row = connection.execute(SELECT_BINDING, {"this": self.line_hash(owner.operator, number)}).first()
        return None if row is None else _is_other_owner(row, owner, today)

    def bind_owner(self, connection: Connection, number: str, owner: Subscriber, now: datetime) -> None:
        """Store the owner of a number, unless one is stored already."""
        row = {"line": self.line_hash(owner.operator, number), "operator": owner.operator}
        connection.execute(ADD_BINDING, {**row, "subscription": owner.id, "since": owner.since, "at": now})

    def replace_owner(
        self, connection: Connection, number: str, owner: Subscriber, now: datetime, today: date
    ) -> tuple[AuditEntry, ...]:
        """Delete the previous owner's data, store the new owner and return the audit entry, once per change."""
        line_hash = self.line_hash(owner.operator, number)
        row = connection.execute(LOCK_BINDING, {"this": line_hash}).first()
        if row is None or not _is_other_owner(row, owner, today):
            return ()
        self._drop_owner_data(connection, DataSubject(owner.operator, number, row.subscription))
        _withdraw_consents(connection, {"operator": owner.operator, "owner": row.subscription}, now)
        binding = {"this": line_hash, "subscription": owner.id, "since": owner.since, "at": now}
        connection.execute(UPDATE_BINDING, binding)
        return (AuditEntry(owner.operator, number, "line.reassigned", now, "house"),)

    def line_keys(self, data_subject: DataSubject) -> LineKeys:
        """Return the values that identify a line in each key column."""
        who = data_subject.operator, data_subject.number
        return {
            "subscription": [data_subject.subscription] if data_subject.subscription else [],
            "number": [data_subject.number, self.erased_opt_outs.hash_recipient(*who)],
            "by": [data_subject.number],
            "subject": [subject_hash(self._codes_key, *who)],
            "line": [self.line_hash(*who)],
            "actor": [
                self._audit_writer.pseudonym(data_subject.operator, each)
                for each in (data_subject.number, data_subject.subscription)
                if each
            ],
        }

    def _drop_owner_data(self, connection: Connection, data_subject: DataSubject) -> None:
        """Delete the previous owner's data and cancel the messages waiting for the number."""
        keys = self.line_keys(data_subject)
        for personal in searchable_tables(keys):
            if personal.drops_with_owner:
                delete_rows(connection, personal, data_subject.operator, keys)
        number = {"of": data_subject.operator, "number": data_subject.number}
        connection.execute(CANCEL_WAITING_MESSAGES, number)
        connection.execute(FORGET_NOTIFY_NUMBER, number)


def _is_other_owner(row: Any, owner: Subscriber, today: date) -> bool:
    """Return whether the owner is another subscription, or the same id with a later first day.

    A backend that does not know the first day reports today (operator's time zone); that is not a change.
    """
    if row.subscription != owner.id:
        return True
    return bool(owner.since > row.since and owner.since < today)


def _withdraw_consents(connection: Connection, given: Mapping[str, str], now: datetime) -> None:
    """Record the withdrawal of the previous owner's consents: they end with the subscription."""
    rows = [
        {
            "operator": given["operator"],
            "subscription": given["owner"],
            "what": row.what,
            "given": False,
            "text": "line.reassigned",
            "language": row.language,
            "channel": "house",
            "proof": "none",
            "at": now,
        }
        for row in connection.execute(SELECT_LATEST_CONSENTS, given)
        if row.given
    ]
    if rows:
        connection.execute(INSERT_WITHDRAWALS, rows)
