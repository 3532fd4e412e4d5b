"""Ledger in SQL: each change is written in one transaction, once per idempotency key."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import (
    AuditEntry,
    ChangeSet,
    Consent,
    DeferredStep,
    MagicLink,
    OutboundMessage,
    Preference,
    Secret,
    Subscriber,
)
from storage import idempotency
from storage.audit.trail import AuditWriter
from storage.audit.write_behind import WriteBehind
from storage.crypto import AeadCipher, derive_key, keyed_hash
from storage.ledger.consent_decisions import ConsentDecisions
from storage.ledger.registrations import RegistrationQueries, save_registration
from storage.ledger.ticket_store import save_tickets, update_ticket
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.outbox.erased_opt_outs import INSERT_OPT_OUT, ErasedOptOuts
from storage.payments.promises import insert_promise
from storage.privacy.number_owner import NumberOwners
from storage.sql.engine import Database
from storage.sql.tables import bindings, consents, links, opt_outs, preferences

_TEXT_COLUMNS = ("language", "notify", "email", "address", "notify_number")


def _preference_upsert() -> Any:
    """Return the upsert of preferences.

    Fields that are not empty replace the stored ones; a new e-mail address brings its own validation and state.
    """
    statement = upsert(preferences)
    new, old = statement.excluded, preferences.c
    merged: dict[str, Any] = {
        name: func.coalesce(func.nullif(new[name], ""), old[name]) for name in _TEXT_COLUMNS
    }
    has_email = or_(new.email != "", new.email_validated)
    merged["email_validated"] = case((has_email, new.email_validated), else_=old.email_validated)
    has_news = or_(has_email, new.email_state != "")
    merged["email_state"] = case((has_news, new.email_state), else_=old.email_state)
    merged["at"] = new.at
    return statement.on_conflict_do_update(index_elements=[old.operator, old.subscription], set_=merged)


UPSERT_PREFERENCE = _preference_upsert()
_PREFERENCE_COLUMNS = (
    "language",
    "notify",
    "email",
    "email_validated",
    "address",
    "email_state",
    "notify_number",
)
"""The columns of a Preference, in the order of its fields."""
SELECT_PREFERENCE = select(*(preferences.c[name] for name in _PREFERENCE_COLUMNS)).where(
    preferences.c.operator == bindparam("operator"), preferences.c.subscription == bindparam("subscription")
)
SELECT_LAST_LANGUAGE = (
    select(preferences.c.language)
    .join_from(
        bindings,
        preferences,
        (preferences.c.operator == bindings.c.operator)
        & (preferences.c.subscription == bindings.c.subscription),
    )
    .where(bindings.c.line == bindparam("line"))
)
INSERT_CONSENT = insert(consents)
INSERT_LINK = upsert(links).on_conflict_do_nothing(index_elements=[links.c.token])
_LINK_IS_USABLE = (
    links.c.token == bindparam("hash"),
    links.c.purpose == bindparam("as_purpose"),
    links.c.opens > 0,
    links.c.expires_at > bindparam("now", type_=links.c.expires_at.type),
)
SELECT_LINK = select(links).where(*_LINK_IS_USABLE)
COUNT_LINK_USE = update(links).where(*_LINK_IS_USABLE).values(opens=links.c.opens - 1).returning(*links.c)
DELETE_OPT_OUT = delete(opt_outs).where(
    opt_outs.c.operator == bindparam("operator"), opt_outs.c.number == bindparam("number")
)


def _consent_row(change: ChangeSet, consent: Consent) -> dict[str, Any]:
    return {
        "operator": change.operator,
        "subscription": change.subscription,
        "what": consent.purpose,
        "given": consent.is_given,
        "text": consent.text_name,
        "language": consent.language,
        "channel": consent.channel,
        "proof": consent.proof,
        "at": change.changed_at,
    }


def _preference_row(change: ChangeSet, preference: Preference) -> dict[str, Any]:
    return {
        "operator": change.operator,
        "subscription": change.subscription,
        "language": preference.language,
        "notify": preference.notify,
        "email": preference.email,
        "email_validated": preference.email_validated,
        "address": preference.address,
        "email_state": preference.email_state,
        "notify_number": preference.notify_number,
        "at": change.changed_at,
    }


def _link_from_row(row: Any, token: Secret) -> MagicLink | None:
    if row is None:
        return None
    bound_to = (row.operator, row.subscription, row.value)
    return MagicLink(token, row.purpose, *bound_to, row.expires_at, row.opens, row.language)


class SqlLedger(RegistrationQueries, ConsentDecisions):
    """Implements the `Ledger` port; `secret` keys the hashes of link tokens and encrypts outbox payloads."""

    def __init__(self, database: Database, secret: Secret, write_behind: WriteBehind | None = None) -> None:
        ConsentDecisions.__init__(self, secret)
        self._database = database
        self._audit_writer = AuditWriter(secret)
        self._write_behind = write_behind or WriteBehind(database, self._audit_writer)
        self._number_owners, self._erased_opt_outs = NumberOwners(secret), ErasedOptOuts(secret)
        self._key = derive_key(secret, "links")
        self._cipher = AeadCipher(secret, KEY_PURPOSE)

    async def commit(self, change: ChangeSet) -> str:
        """Write a change in one transaction, once per key; return the outcome stored with the key.

        Keys are kept for 7 days (`storage.privacy.retention`).
        """
        outcome = await self._database.write(lambda connection: self._commit_change(connection, change))
        if change.messages or change.deferred_steps or change.tickets:
            self._database.wakeup.wake_waiters()
        return outcome

    async def get_preference(self, operator: str, subscription: str) -> Preference:
        """Return the preferences of this subscription; an empty Preference when none are stored."""
        parameters = {"operator": operator, "subscription": subscription}
        row = await self._database.read(
            lambda connection: connection.execute(SELECT_PREFERENCE, parameters).first()
        )
        return Preference() if row is None else Preference(*row)

    async def bind_number(self, number: str, owner: Subscriber, now: datetime, today: date) -> Preference:
        """Bind a number to its owner and return the owner's preferences.

        When the number has a new owner (recycled number), the previous owner's data is deleted first.
        `today` is the date in the operator's time zone, not that of `now`.
        """
        parameters = {"operator": owner.operator, "subscription": owner.id}

        def look(connection: Connection) -> tuple[bool | None, Any]:
            owner_changed = self._number_owners.owner_changed(connection, number, owner, today)
            return owner_changed, connection.execute(SELECT_PREFERENCE, parameters).first()

        owner_changed, row = await self._database.read(look)
        if owner_changed is None:
            self._write_behind.run_later(
                lambda connection: self._number_owners.bind_owner(connection, number, owner, now)
            )
        if owner_changed:
            await self._database.write(
                lambda connection: self._replace_owner(connection, number, owner, now, today)
            )
            return await self.get_preference(owner.operator, owner.id)
        return Preference() if row is None else Preference(*row)

    async def last_language(self, operator: str, number: str) -> str:
        """Return the language chosen by the last known owner of a number, without billing; empty for none."""
        line = self._number_owners.line_hash(operator, number)
        return await self._database.read(
            lambda connection: connection.execute(SELECT_LAST_LANGUAGE, {"line": line}).scalar() or ""
        )

    def record_audit_entry(self, deed: AuditEntry) -> None:
        """Add an entry to the audit log; it is written within 0.2 s."""
        self._write_behind.record_entry(deed)

    async def find_reply(self, key: str) -> bytes | None:
        """Return the reply stored with a change's key; None when that change was not made."""
        return await self._database.read(
            lambda connection: connection.execute(idempotency.SELECT_REPLY, {"key": key}).scalar()
        )

    async def find_link(self, token: Secret, purpose: str, now: datetime) -> MagicLink | None:
        """Look up a link without using it; its `opens` is the number of uses left."""
        parameters = self._link_lookup(token, purpose, now)
        row = await self._database.read(lambda connection: connection.execute(SELECT_LINK, parameters).first())
        return _link_from_row(row, token)

    async def use_link(self, token: Secret, purpose: str, now: datetime) -> MagicLink | None:
        """Use a link once; its `opens` is the number of uses left after this one."""
        parameters = self._link_lookup(token, purpose, now)
        row = await self._database.write(
            lambda connection: connection.execute(COUNT_LINK_USE, parameters).first()
        )
        return _link_from_row(row, token)

    async def set_opt_out(self, operator: str, number: str, *, out: bool, now: datetime) -> bool:
        """Record STOP (or START) from this number; False when nothing changed."""
        hashed = self._erased_opt_outs.hash_recipient(operator, number)
        own, erased = ({"operator": operator, "number": each} for each in (number, hashed))
        entry = AuditEntry(operator, number, "messages.stop" if out else "messages.start", now, "sms")

        def job(connection: Connection) -> bool:
            if out:
                changed = bool(connection.execute(INSERT_OPT_OUT, {**own, "at": now}).rowcount)
            else:
                changed = sum(connection.execute(DELETE_OPT_OUT, each).rowcount for each in (own, erased)) > 0
            self._audit_writer.append_entries(connection, (entry,) if changed else ())
            return changed

        return await self._database.write(job)

    def _replace_owner(
        self, connection: Connection, number: str, owner: Subscriber, now: datetime, today: date
    ) -> None:
        self._audit_writer.append_entries(
            connection, self._number_owners.replace_owner(connection, number, owner, now, today)
        )

    def _link_lookup(self, token: Secret, purpose: str, now: datetime) -> dict[str, Any]:
        return {"hash": keyed_hash(self._key, token.value), "as_purpose": purpose, "now": now}

    def _commit_change(self, connection: Connection, change: ChangeSet) -> str:
        first_outcome = idempotency.reserve_key(
            connection, change.key, change.outcome, change.reply, change.changed_at
        )
        if first_outcome is not None:
            return first_outcome
        if not self._is_first_decision(connection, change):
            return change.outcome
        if change.preference is not None:
            connection.execute(UPSERT_PREFERENCE, _preference_row(change, change.preference))
        if change.registration is not None:
            save_registration(connection, change, change.registration)
        if change.consents:
            connection.execute(INSERT_CONSENT, [_consent_row(change, each) for each in change.consents])
        if change.links:
            connection.execute(INSERT_LINK, [self._link_row(each) for each in change.links])
        if change.promise is not None:
            insert_promise(connection, change.promise)
        events = save_tickets(connection, change)
        if change.ticket_change is not None:
            update_ticket(connection, change, change.ticket_change)
        self._audit_writer.append_entries(connection, change.audit_entries)
        self._erased_opt_outs.restore(connection, change.operator, change.messages, change.changed_at)
        items: tuple[OutboundMessage | DeferredStep, ...] = (*change.messages, *events, *change.deferred_steps)
        enqueue_items(connection, self._cipher, items, change.changed_at)
        return change.outcome

    def _link_row(self, link: MagicLink) -> dict[str, Any]:
        return {
            "token": keyed_hash(self._key, link.token.value),
            "purpose": link.purpose,
            "operator": link.operator,
            "subscription": link.subscription,
            "value": link.value,
            "expires_at": link.expires_at,
            "opens": link.opens_left,
            "language": link.language,
        }
