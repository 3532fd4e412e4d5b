"""Ledger in SQL: each change is written in one transaction, once per idempotency key."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import Change, Consent, Deed, Link, Preference, Secret, Subscriber, Ticket
from storage import idempotency
from storage.audit.trail import Auditor
from storage.audit.write_behind import Notebook
from storage.crypto import Seal, derived, mark
from storage.ledger.registrations import Registered, register
from storage.outbox.enqueue import PURPOSE, enqueue
from storage.privacy.number_owner import Bindings
from storage.sql.engine import Database
from storage.sql.schema import consents, links, opt_outs, preferences, tickets

_FIELDS = ("language", "notify", "email", "address")


def _merge() -> Any:
    """Return the upsert of preferences.

    Fields that are not empty replace the stored ones; a new e-mail address brings its own validation.
    """
    statement = upsert(preferences)
    new, old = statement.excluded, preferences.c
    merged: dict[str, Any] = {name: func.coalesce(func.nullif(new[name], ""), old[name]) for name in _FIELDS}
    has_email = or_(new.email != "", new.email_validated)
    merged["email_validated"] = case((has_email, new.email_validated), else_=old.email_validated)
    merged["at"] = new.at
    return statement.on_conflict_do_update(index_elements=[old.operator, old.subscription], set_=merged)


PREFER = _merge()
_PREFERENCE_COLUMNS = ("language", "notify", "email", "email_validated", "address")
"""The columns of a Preference, in the order of its fields."""
PREFERENCE = select(*(preferences.c[name] for name in _PREFERENCE_COLUMNS)).where(
    preferences.c.operator == bindparam("operator"), preferences.c.subscription == bindparam("subscription")
)
CONSENT = insert(consents)
TICKET = upsert(tickets).on_conflict_do_nothing(index_elements=[tickets.c.operator, tickets.c.reference])
LINK = upsert(links).on_conflict_do_nothing(index_elements=[links.c.token])
_OPEN = (
    links.c.token == bindparam("hash"),
    links.c.purpose == bindparam("as_purpose"),
    links.c.opens > 0,
    links.c.expires_at > bindparam("now", type_=links.c.expires_at.type),
)
LOOK = select(links).where(*_OPEN)
USE = update(links).where(*_OPEN).values(opens=links.c.opens - 1).returning(*links.c)
OLD_LINKS = delete(links).where(links.c.expires_at < bindparam("before"))
OUT = upsert(opt_outs).on_conflict_do_nothing(index_elements=[opt_outs.c.operator, opt_outs.c.number])
IN = delete(opt_outs).where(
    opt_outs.c.operator == bindparam("operator"), opt_outs.c.number == bindparam("number")
)


def _consent(change: Change, consent: Consent) -> dict[str, Any]:
    return {
        "operator": change.operator,
        "subscription": change.subscription,
        "what": consent.what,
        "given": consent.given,
        "text": consent.text,
        "language": consent.language,
        "channel": consent.channel,
        "proof": consent.proof,
        "at": change.at,
    }


def _ticket(change: Change, ticket: Ticket) -> dict[str, Any]:
    return {
        "reference": ticket.reference,
        "operator": change.operator,
        "subscription": change.subscription,
        "kind": ticket.kind,
        "bill": ticket.bill,
        "line": ticket.line,
        "channel": ticket.channel,
        "at": change.at,
    }


def _preference(change: Change, preference: Preference) -> dict[str, Any]:
    return {
        "operator": change.operator,
        "subscription": change.subscription,
        "language": preference.language,
        "notify": preference.notify,
        "email": preference.email,
        "email_validated": preference.email_validated,
        "address": preference.address,
        "at": change.at,
    }


def _link(row: Any, token: Secret) -> Link | None:
    if row is None:
        return None
    return Link(token, row.purpose, row.operator, row.subscription, row.value, row.expires_at, row.opens)


class SqlLedger(Registered):
    """Implements the `Ledger` port; `secret` keys the hashes of link tokens and encrypts outbox payloads."""

    def __init__(self, database: Database, secret: Secret, notebook: Notebook | None = None) -> None:
        self._database = database
        self._auditor = Auditor(secret)
        self._notebook = notebook or Notebook(database, self._auditor)
        self._bindings = Bindings(secret)
        self._key = derived(secret, "links")
        self._seal = Seal(secret, PURPOSE)

    async def commit(self, change: Change) -> str:
        """Write a change in one transaction, once per key; return the outcome stored with the key.

        Keys are kept for at least 7 days (`purge_expired`).
        """
        outcome = await self._database.write(lambda connection: self._commit(connection, change))
        if change.notices or change.errands:
            self._database.bell.ring()
        return outcome

    async def preference(self, operator: str, subscription: str) -> Preference:
        """Return the preferences of this subscription; an empty Preference when none are stored."""
        parameters = {"operator": operator, "subscription": subscription}
        row = await self._database.read(lambda connection: connection.execute(PREFERENCE, parameters).first())
        return Preference() if row is None else Preference(*row)

    async def welcome(self, number: str, owner: Subscriber, now: datetime, today: date) -> Preference:
        """Bind a number to its owner and return the owner's preferences.

        When the number has a new owner (recycled number), the previous owner's data is deleted first.
        `today` is the date in the operator's time zone, not that of `now`.
        """
        parameters = {"operator": owner.operator, "subscription": owner.id}

        def look(connection: Connection) -> tuple[bool | None, Any]:
            owner_changed = self._bindings.moved(connection, number, owner, today)
            return owner_changed, connection.execute(PREFERENCE, parameters).first()

        owner_changed, row = await self._database.read(look)
        if owner_changed is None:
            self._notebook.later(lambda connection: self._bindings.bind(connection, number, owner, now))
        if owner_changed:
            await self._database.write(lambda connection: self._rebind(connection, number, owner, now, today))
            return await self.preference(owner.operator, owner.id)
        return Preference() if row is None else Preference(*row)

    def note(self, deed: Deed) -> None:
        """Add an entry to the audit trail; it is written within 0.2 s."""
        self._notebook.note(deed)

    async def reply(self, key: str) -> bytes | None:
        """Return the reply stored with a change's key; None when that change was not made."""
        return await self._database.read(
            lambda connection: connection.execute(idempotency.REPLY, {"key": key}).scalar()
        )

    async def open_link(self, token: Secret, purpose: str, now: datetime) -> Link | None:
        """Look up a link without using it; its `opens` is the number of uses left."""
        parameters = self._link_named(token, purpose, now)
        row = await self._database.read(lambda connection: connection.execute(LOOK, parameters).first())
        return _link(row, token)

    async def use_link(self, token: Secret, purpose: str, now: datetime) -> Link | None:
        """Use a link once; its `opens` is the number of uses left after this one."""
        parameters = self._link_named(token, purpose, now)
        row = await self._database.write(lambda connection: connection.execute(USE, parameters).first())
        return _link(row, token)

    async def opt_out(self, operator: str, number: str, *, out: bool, now: datetime) -> bool:
        """Record STOP (or START) from this number; False when nothing changed."""
        recipient = {"operator": operator, "number": number}
        statement, row = (OUT, {**recipient, "at": now}) if out else (IN, recipient)
        entry = Deed(operator, number, "messages.stop" if out else "messages.start", now, "sms")

        def job(connection: Connection) -> bool:
            changed = bool(connection.execute(statement, row).rowcount)
            self._auditor.write(connection, (entry,) if changed else ())
            return changed

        return await self._database.write(job)

    async def purge(self, before: datetime) -> None:
        """Delete idempotency keys, and expired links, older than this instant (7 days ago or earlier)."""

        def job(connection: Connection) -> None:
            connection.execute(idempotency.PURGE, {"before": before})
            connection.execute(OLD_LINKS, {"before": before})

        await self._database.write(job)

    def _rebind(
        self, connection: Connection, number: str, owner: Subscriber, now: datetime, today: date
    ) -> None:
        self._auditor.write(connection, self._bindings.rebind(connection, number, owner, now, today))

    def _link_named(self, token: Secret, purpose: str, now: datetime) -> dict[str, Any]:
        return {"hash": mark(self._key, token.value), "as_purpose": purpose, "now": now}

    def _commit(self, connection: Connection, change: Change) -> str:
        first_outcome = idempotency.first_outcome(
            connection, change.key, change.outcome, change.reply, change.at
        )
        if first_outcome is not None:
            return first_outcome
        if change.preference is not None:
            connection.execute(PREFER, _preference(change, change.preference))
        if change.registration is not None:
            register(connection, change, change.registration)
        if change.consents:
            connection.execute(CONSENT, [_consent(change, each) for each in change.consents])
        if change.links:
            connection.execute(LINK, [self._link_row(each) for each in change.links])
        if change.tickets:
            connection.execute(TICKET, [_ticket(change, each) for each in change.tickets])
        self._auditor.write(connection, change.deeds)
        enqueue(connection, self._seal, (*change.notices, *change.errands), change.at)
        return change.outcome

    def _link_row(self, link: Link) -> dict[str, Any]:
        return {
            "token": mark(self._key, link.token.value),
            "purpose": link.purpose,
            "operator": link.operator,
            "subscription": link.subscription,
            "value": link.value,
            "expires_at": link.expires_at,
            "opens": link.opens,
        }
