"""Number ownership: detect recycled numbers and delete the previous owner's data."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import Deed, Secret, Subscriber
from storage.audit.trail import Auditor
from storage.crypto import derived, mark, subject
from storage.privacy.data_map import Found, Owner, drop, known
from storage.sql.schema import bindings, consents, outbox

_ADDING = upsert(bindings)
BIND = _ADDING.on_conflict_do_nothing(index_elements=[bindings.c.line])
REBIND = (
    update(bindings)
    .where(bindings.c.line == bindparam("this"))
    .values({name: bindparam(name) for name in ("subscription", "since", "at")})
)
BOUND = select(bindings.c.subscription, bindings.c.since).where(bindings.c.line == bindparam("this"))
LOCKED = BOUND.with_for_update()
CALL_BACK = (
    update(outbox)
    .where(
        outbox.c.operator == bindparam("of"),
        outbox.c.to == bindparam("number"),
        outbox.c.due_at.is_not(None),
        outbox.c.state != "claimed",
    )
    .values(state="dead", reason="the number has a new owner", due_at=None, payload=None)
)
GIVEN = text(
    """
    SELECT what, given, language FROM consents WHERE id IN (
        SELECT max(id) FROM consents WHERE operator = :operator AND subscription = :owner GROUP BY what
    )
    """
)
WITHDRAWN = insert(consents)


class Bindings:
    """Binds numbers to subscriptions; numbers are stored as keyed hashes."""

    def __init__(self, secret: Secret) -> None:
        self._key = derived(secret, "lines")
        self._codes = derived(secret, "codes")
        self._auditor = Auditor(secret)

    def line(self, operator: str, number: str) -> bytes:
        """Return the keyed hash that stands for a number in `bindings`."""
        return mark(self._key, "line", operator, number)

    def moved(self, connection: Connection, number: str, owner: Subscriber, today: date) -> bool | None:
        """Return whether the number has a new owner since it was last seen; None when it was never seen."""
        row = connection.execute(BOUND, {"this": self.line(owner.operator, number)}).first()
        return None if row is None else _other(row, owner, today)

    def bind(self, connection: Connection, number: str, owner: Subscriber, now: datetime) -> None:
        """Store the owner of a number, unless one is stored already."""
        row = {"line": self.line(owner.operator, number), "operator": owner.operator}
        connection.execute(BIND, {**row, "subscription": owner.id, "since": owner.since, "at": now})

    def rebind(
        self, connection: Connection, number: str, owner: Subscriber, now: datetime, today: date
    ) -> tuple[Deed, ...]:
        """Delete the previous owner's data, store the new owner and return the audit entry, once per change."""
        line_hash = self.line(owner.operator, number)
        row = connection.execute(LOCKED, {"this": line_hash}).first()
        if row is None or not _other(row, owner, today):
            return ()
        self._drop(connection, Owner(owner.operator, number, row.subscription))
        _withdraw(connection, {"operator": owner.operator, "owner": row.subscription}, now)
        binding = {"this": line_hash, "subscription": owner.id, "since": owner.since, "at": now}
        connection.execute(REBIND, binding)
        return (Deed(owner.operator, number, "line.reassigned", now, "house"),)

    def found(self, owner: Owner) -> Found:
        """Return the values that identify a line in each key column."""
        who = owner.operator, owner.number
        return {
            "subscription": [owner.subscription] if owner.subscription else [],
            "number": [owner.number],
            "by": [owner.number],
            "subject": [subject(self._codes, *who)],
            "line": [self.line(*who)],
            "actor": [
                self._auditor.actor(owner.operator, each) for each in (owner.number, owner.subscription) if each
            ],
        }

    def _drop(self, connection: Connection, owner: Owner) -> None:
        """Delete the previous owner's data and cancel the messages waiting for the number."""
        keys = self.found(owner)
        for personal in known(keys):
            if personal.bound:
                drop(connection, personal, owner.operator, keys)
        connection.execute(CALL_BACK, {"of": owner.operator, "number": owner.number})


def _other(row: Any, owner: Subscriber, today: date) -> bool:
    """Return whether the owner is another subscription, or the same id with a later first day.

    A backend that does not know the first day reports today (operator's time zone); that is not a change.
    """
    if row.subscription != owner.id:
        return True
    return bool(owner.since > row.since and owner.since < today)


def _withdraw(connection: Connection, given: Mapping[str, str], now: datetime) -> None:
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
        for row in connection.execute(GIVEN, given)
        if row.given
    ]
    if rows:
        connection.execute(WITHDRAWN, rows)
