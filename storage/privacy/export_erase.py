"""What we hold about one line: to be shown to its owner, or let go of (GDPR articles 15, 17 and 20).

Bills are the operator's and stay with it. Consents and the audit trail stay as a skeleton under a
pseudonym, for the time in which somebody may ask who agreed to what.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, update

from flows.domain.records import Secret
from storage.audit.trail import Auditor
from storage.crypto import Seal
from storage.outbox.enqueue import PURPOSE, packed
from storage.privacy.data_map import Owner, count, drop, known, rows
from storage.privacy.number_owner import Bindings
from storage.sql.consent_triggers import ERASED
from storage.sql.engine import Database
from storage.sql.schema import consents, outbox, preferences

UNREADABLE = "unreadable"
"""In place of a text that no longer opens."""


class SqlPrivacy:
    """Finds, shows and erases. `tags` are how the number and its subscription are called in keys."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._auditor, self._bindings = Auditor(secret), Bindings(secret)
        self._seal = Seal(secret, PURPOSE)

    async def export(self, owner: Owner) -> dict[str, Any]:
        """Everything held about a line, table by table, secrets left out."""
        return await self._database.read(lambda connection: self._shown(connection, owner))

    async def erase(self, owner: Owner, tags: Sequence[str], *, yes: bool) -> dict[str, str]:
        """What becomes of each table's rows; nothing happens unless `yes`."""
        return await self._database.write(lambda connection: self._erase(connection, owner, tags, yes=yes))

    def _shown(self, connection: Connection, owner: Owner) -> dict[str, Any]:
        found = self._bindings.found(owner)
        told: dict[str, Any] = {
            each.name: rows(connection, each, owner.operator, found) for each in known(found)
        }
        where, given = self._sent(connection, owner, ())
        sent = connection.execute(select(outbox).where(where).order_by(outbox.c.id), given)
        return told | {"messages": [self._message(row) for row in sent]}

    def _erase(self, connection: Connection, owner: Owner, tags: Sequence[str], *, yes: bool) -> dict[str, str]:
        where, sent = self._sent(connection, owner, tags)
        messages = select(func.count()).select_from(outbox).where(where)
        report = {"outbox": f"{connection.execute(messages, sent).scalar_one()} deleted"}
        found = self._bindings.found(owner)
        for each in known(found):
            report[each.name] = f"{count(connection, each, owner.operator, found)} {each.fate}"
            if yes and each.fate == "deleted":
                drop(connection, each, owner.operator, found)
        if yes:
            connection.execute(delete(outbox).where(where), sent)
            self._let_go(connection, owner)
        return report

    def _let_go(self, connection: Connection, owner: Owner) -> None:
        """Consents keep what was agreed and when; whose it was is a pseudonym from now on."""
        pseudonym = ERASED + self._auditor.actor(owner.operator, owner.subscription)
        connection.execute(
            update(consents)
            .where(consents.c.operator == owner.operator, consents.c.subscription == owner.subscription)
            .values(subscription=pseudonym)
        )

    def _sent(
        self, connection: Connection, owner: Owner, tags: Sequence[str]
    ) -> tuple[ColumnElement[bool], dict[str, Any]]:
        """Messages to the number and to the addresses chosen with us, and those whose keys begin with a tag.

        The latter are what the number was promised, and bills told to addresses only billing knows.
        """
        emails = connection.scalars(
            select(preferences.c.email).where(
                preferences.c.operator == owner.operator, preferences.c.subscription == owner.subscription
            )
        )
        given = {"of": owner.operator, "to_any": [owner.number, *filter(None, emails)]}
        to_them = outbox.c.to.in_(bindparam("to_any", expanding=True))
        tagged = (outbox.c.key.like(f"{tag}/%") for tag in tags)
        return (outbox.c.operator == bindparam("of")) & or_(to_them, *tagged), given

    def _message(self, row: Any) -> dict[str, Any]:
        shown = {name: getattr(row, name) for name in ("created_at", "kind", "route", "state")}
        if row.payload is not None and row.kind != "code":
            shown["text"] = self._text(row)
        return shown

    def _text(self, row: Any) -> str:
        """What a message says; a row written under another secret does not keep the rest from its owner."""
        try:
            return str(getattr(packed(row, self._seal), "body", ""))
        except ValueError:
            return UNREADABLE
