"""Data subject requests: export and erase the personal data of one line (GDPR articles 15, 17, 20).

Bills, payments and charges belong to the operator and stay, the last two without phone numbers. Consents
and the audit log are kept under a pseudonym, for as long as the agreement may have to be proved.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, update

from flows.domain.records import OutboundMessage, Secret
from menus.model.facts import encode_fact
from storage.audit.conversation_rows import ConversationRows
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, decrypt_item
from storage.privacy.data_map import DataSubject, count_rows, delete_rows, export_rows, searchable_tables
from storage.privacy.number_owner import FORGET_NOTIFY_NUMBER, NumberOwners
from storage.sql.consent_triggers import ERASED_PREFIX
from storage.sql.engine import Database
from storage.sql.outbox_schema import OUTBOX_COLUMNS, outbox
from storage.sql.tables import (
    consents,
    opt_outs,
    payment_intents,
    preferences,
    purchase_charges,
    tickets,
)

MAX_EXPORTED_CONVERSATIONS = 10_000
UNREADABLE = "unreadable"
"""Exported in place of a text that can no longer be decrypted."""


class SqlPrivacy:
    """Exports and erases the data of one line."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer, self._number_owners = AuditWriter(secret), NumberOwners(secret)
        self._cipher = AeadCipher(secret, KEY_PURPOSE)
        self._conversation_rows = ConversationRows(secret)

    async def export(
        self, subject: DataSubject, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Any]:
        """Return all data stored about a line, by table, without secrets.

        `on_progress` is called after every table, with the tables read and the tables in all.
        """
        return await self._database.read(
            lambda connection: self._export_tables(connection, subject, on_progress)
        )

    async def erase(
        self, subject: DataSubject, key_prefixes: Sequence[str], *, confirmed: bool
    ) -> dict[str, str]:
        """Erase a line's data; return what happens to the rows of each table.

        Nothing is changed unless `confirmed`. `key_prefixes` are the pseudonyms with which the outbox keys
        of the number and of its subscription begin.
        """
        return await self._database.write(
            lambda connection: self._erase_rows(connection, subject, key_prefixes, confirmed=confirmed)
        )

    def _export_tables(
        self, connection: Connection, subject: DataSubject, on_progress: Callable[[int, int], None]
    ) -> dict[str, Any]:
        keys, export = self._number_owners.line_keys(subject), dict[str, Any]()
        tables = list(searchable_tables(keys))
        for each in tables:
            export[each.name] = export_rows(connection, each, subject.operator, keys)
            on_progress(len(export), len(tables) + 2)
        where, parameters = self._message_filter(connection, subject, ())
        messages = connection.execute(
            select(*OUTBOX_COLUMNS.values()).where(where).order_by(outbox.c.id), parameters
        )
        export["screens"] = self._exported_screens(connection, subject)
        on_progress(len(export), len(tables) + 2)
        export["messages"] = [self._exported_message(row) for row in messages]
        on_progress(len(export), len(export))
        return export

    def _erase_rows(
        self, connection: Connection, subject: DataSubject, key_prefixes: Sequence[str], *, confirmed: bool
    ) -> dict[str, str]:
        where, parameters = self._message_filter(connection, subject, key_prefixes)
        messages = select(func.count()).select_from(outbox).where(where)
        report = {"outbox": f"{connection.execute(messages, parameters).scalar_one()} deleted"}
        keys = self._number_owners.line_keys(subject)
        for each in searchable_tables(keys):
            report[each.name] = f"{count_rows(connection, each, subject.operator, keys)} {each.on_erase}"
            if confirmed and each.on_erase == "deleted":
                delete_rows(connection, each, subject.operator, keys)
        if confirmed:
            connection.execute(delete(outbox).where(where), parameters)
            self._hash_opt_out(connection, subject)
            connection.execute(FORGET_NOTIFY_NUMBER, {"of": subject.operator, "number": subject.number})
            self._pseudonymise_consents(connection, subject)
            self._pseudonymise_payments(connection, subject)
        return report

    def _hash_opt_out(self, connection: Connection, subject: DataSubject) -> None:
        """Replace the number of an opt-out by its keyed hash: who said STOP must stay unwritten to."""
        own = (opt_outs.c.operator == subject.operator, opt_outs.c.number == subject.number)
        since = connection.execute(select(opt_outs.c.at).where(*own)).scalar()
        if since is not None:
            connection.execute(delete(opt_outs).where(*own))
            self._number_owners.erased_opt_outs.keep_hash(connection, subject.operator, subject.number, since)

    def _pseudonymise_consents(self, connection: Connection, subject: DataSubject) -> None:
        """Replace the subscription of the consents by a pseudonym; what was agreed and when is kept."""
        pseudonym = ERASED_PREFIX + self._audit_writer.pseudonym(subject.operator, subject.subscription)
        connection.execute(
            update(consents)
            .where(consents.c.operator == subject.operator, consents.c.subscription == subject.subscription)
            .values(subscription=pseudonym)
        )

    def _pseudonymise_payments(self, connection: Connection, subject: DataSubject) -> None:
        """Erase the phone numbers of payments and charges; what was paid and bought is book-keeping."""
        pseudonym = ERASED_PREFIX + self._audit_writer.pseudonym(subject.operator, subject.subscription)
        row = payment_intents.c
        connection.execute(
            update(payment_intents)
            .where(row.operator == subject.operator, row.subscription == subject.subscription)
            .values(subscription=pseudonym, people=b"")
        )
        charge = purchase_charges.c
        connection.execute(
            update(purchase_charges)
            .where(charge.operator == subject.operator, charge.subscription == subject.subscription)
            .values(subscription=pseudonym, line=b"")
        )

    def _message_filter(
        self, connection: Connection, subject: DataSubject, key_prefixes: Sequence[str]
    ) -> tuple[ColumnElement[bool], dict[str, Any]]:
        """Return the condition and parameters that select the line's messages in the outbox.

        These are messages to the number and to the subscriber's stored e-mail addresses, events to the help
        desk about its tickets, and those whose key begins with a prefix: deferred steps, and bill notices to
        addresses that only billing knows.
        """
        emails = connection.scalars(
            select(preferences.c.email).where(
                preferences.c.operator == subject.operator, preferences.c.subscription == subject.subscription
            )
        )
        references = connection.scalars(
            select(tickets.c.reference).where(
                tickets.c.operator == subject.operator, tickets.c.subscription == subject.subscription
            )
        )
        to_any = [subject.number, *filter(None, emails), *references]
        parameters = {"of": subject.operator, "to_any": to_any}
        to_subscriber = outbox.c.to.in_(bindparam("to_any", expanding=True))
        by_key = (outbox.c.key.like(f"{tag}/%") for tag in key_prefixes)
        return (outbox.c.operator == bindparam("of")) & or_(to_subscriber, *by_key), parameters

    def _exported_message(self, row: Any) -> dict[str, Any]:
        exported = {name: getattr(row, name) for name in ("created_at", "kind", "route", "state")}
        if row.payload is not None and row.kind != "code":
            exported["text"] = self._message_text(row)
        return exported

    def _exported_screens(self, connection: Connection, subject: DataSubject) -> list[dict[str, Any]]:
        """Return what each kept turn of the number's conversations showed, and what was answered before it."""
        kept = self._conversation_rows.read_newest(
            connection, subject.operator, subject.number, MAX_EXPORTED_CONVERSATIONS
        )
        return [
            {
                "at": turn.happened_at,
                "channel": each.channel,
                "answers": list(turn.answers),
                "screen": turn.session.state if turn.replacement is None else turn.replacement,
                "language": turn.session.language,
                "values": {name: encode_fact(fact) for name, fact in turn.session.facts.items()},
            }
            for each in kept
            for turn in each.turns
        ]

    def _message_text(self, row: Any) -> str:
        """Return a message's text; a row encrypted with another secret must not make the export fail."""
        try:
            item = decrypt_item(row, self._cipher)
        except ValueError:
            return UNREADABLE
        return item.body if isinstance(item, OutboundMessage) else ""
