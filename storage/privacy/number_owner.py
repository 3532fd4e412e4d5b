"""Whose a number is: when it changes hands, what was bound to the one before is dropped and nobody is told."""

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
    """The statements about one secret's marks."""

    def __init__(self, secret: Secret) -> None:
        self._key = derived(secret, "lines")
        self._codes = derived(secret, "codes")
        self._auditor = Auditor(secret)

    def line(self, operator: str, number: str) -> bytes:
        """How a number is called here."""
        return mark(self._key, "line", operator, number)

    def moved(self, connection: Connection, number: str, owner: Subscriber, today: date) -> bool | None:
        """Has the number changed hands since we last heard of it? None when we never heard of it."""
        row = connection.execute(BOUND, {"this": self.line(owner.operator, number)}).first()
        return None if row is None else _other(row, owner, today)

    def bind(self, connection: Connection, number: str, owner: Subscriber, now: datetime) -> None:
        """Remember whose it is, unless we do already."""
        row = {"line": self.line(owner.operator, number), "operator": owner.operator}
        connection.execute(BIND, {**row, "subscription": owner.id, "since": owner.since, "at": now})

    def rebind(
        self, connection: Connection, number: str, owner: Subscriber, now: datetime, today: date
    ) -> tuple[Deed, ...]:
        """Drop what was bound to the one before; what the audit trail says of it, once."""
        this = self.line(owner.operator, number)
        row = connection.execute(LOCKED, {"this": this}).first()
        if row is None or not _other(row, owner, today):
            return ()
        self._drop(connection, Owner(owner.operator, number, row.subscription))
        _withdraw(connection, {"operator": owner.operator, "owner": row.subscription}, now)
        fresh = {"this": this, "subscription": owner.id, "since": owner.since, "at": now}
        connection.execute(REBIND, fresh)
        return (Deed(owner.operator, number, "line.reassigned", now, "house"),)

    def found(self, owner: Owner) -> Found:
        """What a line is called wherever something is held about it."""
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
        """Delete what was bound to a line, and call back what is on its way to the number."""
        found = self.found(owner)
        for holding in known(found):
            if holding.bound:
                drop(connection, holding, owner.operator, found)
        connection.execute(CALL_BACK, {"of": owner.operator, "number": owner.number})


def _other(row: Any, owner: Subscriber, today: date) -> bool:
    """Another subscription, or the same id begun anew.

    A backend that does not know the first day says today, by the operator's clock: that is no new owner.
    """
    if row.subscription != owner.id:
        return True
    return bool(owner.since > row.since and owner.since < today)


def _withdraw(connection: Connection, given: Mapping[str, str], now: datetime) -> None:
    """Consent dies with the subscription: the record says so, in a line of its own."""
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
