"""Data subject requests: export and erase the personal data of one line (GDPR articles 15, 17, 20).

Bills belong to the operator and are not touched. Consents and the audit trail are kept under a pseudonym,
for as long as it may have to be proved who agreed to what.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, update

from flows.domain.records import Notice, Secret
from storage.audit.trail import Auditor
from storage.crypto import Seal
from storage.outbox.enqueue import PURPOSE, packed
from storage.privacy.data_map import Owner, count, drop, known, rows
from storage.privacy.number_owner import Bindings
from storage.sql.consent_triggers import ERASED
from storage.sql.engine import Database
from storage.sql.schema import consents, outbox, preferences

UNREADABLE = "unreadable"
"""Exported in place of a text that can no longer be decrypted."""


class SqlPrivacy:
    """Exports and erases the data of one line."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._auditor, self._bindings = Auditor(secret), Bindings(secret)
        self._seal = Seal(secret, PURPOSE)

    async def export(self, owner: Owner) -> dict[str, Any]:
        """Return all data stored about a line, by table, without secrets."""
        return await self._database.read(lambda connection: self._shown(connection, owner))

    async def erase(self, owner: Owner, tags: Sequence[str], *, yes: bool) -> dict[str, str]:
        """Erase a line's data; return what happens to the rows of each table.

        Nothing is changed unless `confirmed`. `key_prefixes` are the pseudonyms with which the outbox keys
        of the number and of its subscription begin.
        """
        return await self._database.write(lambda connection: self._erase(connection, owner, tags, yes=yes))

    def _shown(self, connection: Connection, owner: Owner) -> dict[str, Any]:
        keys = self._bindings.found(owner)
        export: dict[str, Any] = {
            each.name: rows(connection, each, owner.operator, keys) for each in known(keys)
        }
        where, parameters = self._sent(connection, owner, ())
        messages = connection.execute(select(outbox).where(where).order_by(outbox.c.id), parameters)
        return export | {"messages": [self._message(row) for row in messages]}

    def _erase(self, connection: Connection, owner: Owner, tags: Sequence[str], *, yes: bool) -> dict[str, str]:
        where, parameters = self._sent(connection, owner, tags)
        messages = select(func.count()).select_from(outbox).where(where)
        report = {"outbox": f"{connection.execute(messages, parameters).scalar_one()} deleted"}
        keys = self._bindings.found(owner)
        for each in known(keys):
            report[each.name] = f"{count(connection, each, owner.operator, keys)} {each.fate}"
            if yes and each.fate == "deleted":
                drop(connection, each, owner.operator, keys)
        if yes:
            connection.execute(delete(outbox).where(where), parameters)
            self._let_go(connection, owner)
        return report

    def _let_go(self, connection: Connection, owner: Owner) -> None:
        """Replace the subscription of the consents by a pseudonym; what was agreed and when is kept."""
        pseudonym = ERASED + self._auditor.actor(owner.operator, owner.subscription)
        connection.execute(
            update(consents)
            .where(consents.c.operator == owner.operator, consents.c.subscription == owner.subscription)
            .values(subscription=pseudonym)
        )

    def _sent(
        self, connection: Connection, owner: Owner, tags: Sequence[str]
    ) -> tuple[ColumnElement[bool], dict[str, Any]]:
        """Return the condition and parameters that select the line's messages in the outbox.

        These are messages to the number and to the subscriber's stored e-mail addresses, and those whose
        key begins with a prefix: deferred steps, and bill notices to addresses that only billing knows.
        """
        emails = connection.scalars(
            select(preferences.c.email).where(
                preferences.c.operator == owner.operator, preferences.c.subscription == owner.subscription
            )
        )
        parameters = {"of": owner.operator, "to_any": [owner.number, *filter(None, emails)]}
        to_subscriber = outbox.c.to.in_(bindparam("to_any", expanding=True))
        by_key = (outbox.c.key.like(f"{tag}/%") for tag in tags)
        return (outbox.c.operator == bindparam("of")) & or_(to_subscriber, *by_key), parameters

    def _message(self, row: Any) -> dict[str, Any]:
        exported = {name: getattr(row, name) for name in ("created_at", "kind", "route", "state")}
        if row.payload is not None and row.kind != "code":
            exported["text"] = self._text(row)
        return exported

    def _text(self, row: Any) -> str:
        """Return a message's text; a row encrypted with another secret must not make the export fail."""
        try:
            item = packed(row, self._seal)
        except ValueError:
            return UNREADABLE
        return item.body if isinstance(item, Notice) else ""
