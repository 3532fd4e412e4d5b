"""The ledger on SQL: what a change writes, it writes in one transaction and once."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.records import Change, Consent, Link, Preference, Secret, Ticket
from storage import changes
from storage.enqueue import PURPOSE, enqueue
from storage.registering import Registered, register
from storage.seal import Seal, derived, mark
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
TICKET = insert(tickets)
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

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
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

    async def reply(self, key: str) -> bytes | None:
        """The answer kept with a change's key, if that change was made before."""
        return await self._database.read(
            lambda connection: connection.execute(changes.REPLY, {"key": key}).scalar()
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

    async def opt_out(self, operator: str, number: str, *, out: bool, now: datetime) -> None:
        """Remember STOP (or START) from this number."""
        given = {"operator": operator, "number": number}
        statement, row = (OUT, {**given, "at": now}) if out else (IN, given)
        await self._database.write(lambda connection: connection.execute(statement, row).close())

    async def purge(self, before: datetime) -> None:
        """Forget keys of changes made, and links expired, before this instant: 7 days ago or earlier."""

        def job(connection: Connection) -> None:
            connection.execute(changes.PURGE, {"before": before})
            connection.execute(OLD_LINKS, {"before": before})

        await self._database.write(job)

    def _link_named(self, token: Secret, purpose: str, now: datetime) -> dict[str, Any]:
        return {"hash": mark(self._key, token.value), "as_purpose": purpose, "now": now}

    def _commit(self, connection: Connection, change: Change) -> str:
        known = changes.first_outcome(connection, change.key, change.outcome, change.reply, change.at)
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
