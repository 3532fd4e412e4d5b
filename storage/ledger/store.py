"""The ledger on SQL: what a change writes, it writes in one transaction and once."""

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
    """Fields that are not empty replace the stored ones; a new e-mail brings its own validation along."""
    adding = upsert(preferences)
    new, old = adding.excluded, preferences.c
    kept: dict[str, Any] = {name: func.coalesce(func.nullif(new[name], ""), old[name]) for name in _FIELDS}
    told = or_(new.email != "", new.email_validated)
    kept["email_validated"] = case((told, new.email_validated), else_=old.email_validated)
    kept["at"] = new.at
    return adding.on_conflict_do_update(index_elements=[old.operator, old.subscription], set_=kept)


PREFER = _merge()
PREFERENCE = select(
    *(preferences.c[name] for name in ("language", "notify", "email", "email_validated", "address"))
).where(
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
    chosen = {name: getattr(preference, name) for name in (*_FIELDS, "email_validated")}
    return {"operator": change.operator, "subscription": change.subscription, "at": change.at, **chosen}


def _link(row: Any, token: Secret) -> Link | None:
    if row is None:
        return None
    return Link(token, row.purpose, row.operator, row.subscription, row.value, row.expires_at, row.opens)


class SqlLedger(Registered):
    """The `Ledger` port. `secret` keys the hashes of link tokens and seals what goes into the outbox."""

    def __init__(self, database: Database, secret: Secret, notebook: Notebook | None = None) -> None:
        self._database = database
        self._auditor = Auditor(secret)
        self._notebook = notebook or Notebook(database, self._auditor)
        self._bindings = Bindings(secret)
        self._key = derived(secret, "links")
        self._seal = Seal(secret, PURPOSE)

    async def commit(self, change: Change) -> str:
        """Write it all in one transaction, once per key; the outcome kept with the key.

        Keys are kept until `purge`, at least 7 days.
        """
        outcome = await self._database.write(lambda connection: self._commit(connection, change))
        if change.notices or change.errands:
            self._database.bell.ring()
        return outcome

    async def preference(self, operator: str, subscription: str) -> Preference:
        """What this subscription chose; an empty Preference when nothing."""
        given = {"operator": operator, "subscription": subscription}
        row = await self._database.read(lambda connection: connection.execute(PREFERENCE, given).first())
        return Preference() if row is None else Preference(**row._mapping)

    async def welcome(self, number: str, owner: Subscriber, now: datetime, today: date) -> Preference:
        """What the one behind this number chose, now that we know who it is.

        When the number has a new owner, what was bound to the one before is dropped first. `today` is the
        operator's day, not that of `now`.
        """
        known = {"operator": owner.operator, "subscription": owner.id}

        def look(connection: Connection) -> tuple[bool | None, Any]:
            moved = self._bindings.moved(connection, number, owner, today)
            return moved, connection.execute(PREFERENCE, known).first()

        moved, row = await self._database.read(look)
        if moved is None:
            self._notebook.later(lambda connection: self._bindings.bind(connection, number, owner, now))
        if moved:
            await self._database.write(lambda connection: self._rebind(connection, number, owner, now, today))
            return await self.preference(owner.operator, owner.id)
        return Preference() if row is None else Preference(**row._mapping)

    def note(self, deed: Deed) -> None:
        """Add a line to the audit trail, written within a fifth of a second."""
        self._notebook.note(deed)

    async def reply(self, key: str) -> bytes | None:
        """The answer kept with a change's key, if that change was made before."""
        return await self._database.read(
            lambda connection: connection.execute(idempotency.REPLY, {"key": key}).scalar()
        )

    async def open_link(self, token: Secret, purpose: str, now: datetime) -> Link | None:
        """Look a link up without using it; its `opens` are those still left."""
        given = self._link_named(token, purpose, now)
        row = await self._database.read(lambda connection: connection.execute(LOOK, given).first())
        return _link(row, token)

    async def use_link(self, token: Secret, purpose: str, now: datetime) -> Link | None:
        """Use a link once; its `opens` are those left after this one."""
        given = self._link_named(token, purpose, now)
        row = await self._database.write(lambda connection: connection.execute(USE, given).first())
        return _link(row, token)

    async def opt_out(self, operator: str, number: str, *, out: bool, now: datetime) -> bool:
        """Remember STOP (or START) from this number; False when it was so already."""
        given = {"operator": operator, "number": number}
        statement, row = (OUT, {**given, "at": now}) if out else (IN, given)
        deed = Deed(operator, number, "messages.stop" if out else "messages.start", now, "sms")

        def job(connection: Connection) -> bool:
            changed = bool(connection.execute(statement, row).rowcount)
            self._auditor.write(connection, (deed,) if changed else ())
            return changed

        return await self._database.write(job)

    async def purge(self, before: datetime) -> None:
        """Forget keys of changes made, and links expired, before this instant: 7 days ago or earlier."""

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
        known = idempotency.first_outcome(connection, change.key, change.outcome, change.reply, change.at)
        if known is not None:
            return known
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
