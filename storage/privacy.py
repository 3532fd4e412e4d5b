"""What we hold about one line: to be shown to its owner, or let go of (GDPR articles 15, 17 and 20).

Bills are the operator's and stay with it. Consents and the audit trail stay as a skeleton under a
pseudonym, for the time in which somebody may ask who agreed to what.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, func, select, update

from flows.records import Secret
from storage.audit import Auditor
from storage.bindings import Bindings
from storage.codes import subject
from storage.enqueue import PURPOSE, packed
from storage.seal import Seal, derived
from storage.sql.engine import Database
from storage.sql.guards import ERASED
from storage.sql.schema import (
    audit,
    bindings,
    code_sends,
    code_tries,
    codes,
    consents,
    links,
    opt_outs,
    outbox,
    password_tries,
    passwords,
    preferences,
    registrations,
    tickets,
)

By = str
"""How rows are found: by the column of this name."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One table, how its rows are found, which columns are shown, what becomes of them."""

    table: Table
    by: By
    shown: tuple[str, ...]
    fate: str = "deleted"

    @property
    def name(self) -> str:
        """How the report calls it."""
        return self.table.name if self.by != "by" else f"{self.table.name} from it"


HOLDINGS: Sequence[Holding] = (
    Holding(preferences, "subscription", ("language", "notify", "email", "email_validated", "address", "at")),
    Holding(registrations, "subscription", ("by", "line", "account", "at")),
    Holding(registrations, "by", ("line", "account", "at")),
    Holding(links, "subscription", ("purpose", "expires_at", "opens")),
    Holding(tickets, "subscription", ("reference", "kind", "bill", "line", "at")),
    Holding(passwords, "number", ("kind", "at")),
    Holding(password_tries, "number", ("kind", "since", "wrong")),
    Holding(opt_outs, "number", ("at",)),
    Holding(codes, "subject", ("purpose", "expires_at")),
    Holding(code_tries, "subject", ("purpose", "since", "wrong")),
    Holding(code_sends, "subject", ("times",)),
    Holding(bindings, "line", ("subscription", "since", "at")),
    Holding(consents, "subscription", ("what", "given", "text", "language", "channel", "proof", "at"), "kept"),
    Holding(audit, "actor", ("at", "channel", "action", "object", "outcome"), "kept"),
)
"""`kept`: under a pseudonym, as long as the law has us prove what was agreed and shown."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose records: the number, its subscription (empty when billing knows nobody), known addresses."""

    operator: str
    number: str = field(repr=False)
    subscription: str = ""


class SqlPrivacy:
    """Finds, shows and erases. `tag` is how the number's conversations are called in keys."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._auditor, self._bindings = Auditor(secret), Bindings(secret)
        self._codes = derived(secret, "codes")
        self._seal = Seal(secret, PURPOSE)

    async def export(self, owner: Owner) -> dict[str, Any]:
        """Everything held about a line, table by table, secrets left out."""
        return await self._database.read(lambda connection: self._shown(connection, owner))

    async def erase(self, owner: Owner, tag: str, *, yes: bool) -> dict[str, str]:
        """What becomes of each table's rows; nothing happens unless `yes`."""
        return await self._database.write(lambda connection: self._erase(connection, owner, tag, yes=yes))

    def _values(self, owner: Owner) -> Mapping[By, Any]:
        return {
            "subscription": owner.subscription,
            "number": owner.number,
            "by": owner.number,
            "subject": subject(self._codes, owner.operator, owner.number),
            "line": self._bindings.line(owner.operator, owner.number),
            "actor": self._auditor.actor(owner.operator, owner.number),
        }

    def _shown(self, connection: Connection, owner: Owner) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each, given in self._found_by(owner):
            columns = [each.table.c[name] for name in each.shown]
            rows = connection.execute(select(*columns).where(*_where(each)), given)
            found[each.name] = [dict(row._mapping) for row in rows]
        where, given = self._sent(connection, owner, "-")
        rows = connection.execute(select(outbox).where(where).order_by(outbox.c.id), given)
        return found | {"messages": [self._message(row) for row in rows]}

    def _erase(self, connection: Connection, owner: Owner, tag: str, *, yes: bool) -> dict[str, str]:
        where, sent = self._sent(connection, owner, tag)
        report = {"outbox": f"{_count(connection, outbox, where, sent)} deleted"}
        for each, given in self._found_by(owner):
            report[each.name] = f"{_count(connection, each.table, and_(*_where(each)), given)} {each.fate}"
            if yes and each.fate == "deleted":
                connection.execute(delete(each.table).where(*_where(each)), given)
        if yes:
            connection.execute(delete(outbox).where(where), sent)
            self._let_go(connection, owner)
        return report

    def _found_by(self, owner: Owner) -> Iterator[tuple[Holding, dict[str, Any]]]:
        """The holdings and what their rows are found by; without a subscription, by number only."""
        values = self._values(owner)
        for each in HOLDINGS:
            if values[each.by]:
                given = {"value": values[each.by], "of": owner.operator}
                yield each, given if "operator" in each.table.c else {"value": values[each.by]}

    def _let_go(self, connection: Connection, owner: Owner) -> None:
        """Consents keep what was agreed and when; whose it was is a pseudonym from now on."""
        pseudonym = ERASED + self._auditor.actor(owner.operator, owner.subscription)
        connection.execute(
            update(consents)
            .where(consents.c.operator == owner.operator, consents.c.subscription == owner.subscription)
            .values(subscription=pseudonym)
        )

    def _sent(
        self, connection: Connection, owner: Owner, tag: str
    ) -> tuple[ColumnElement[bool], dict[str, Any]]:
        """Messages to the number and to the addresses chosen with us, and what the number was promised."""
        emails = connection.scalars(
            select(preferences.c.email).where(
                preferences.c.operator == owner.operator, preferences.c.subscription == owner.subscription
            )
        )
        given = {"of": owner.operator, "to_any": [owner.number, *filter(None, emails)], "mine": f"{tag}/%"}
        to_them = outbox.c.to.in_(bindparam("to_any", expanding=True)) | outbox.c.key.like(bindparam("mine"))
        return (outbox.c.operator == bindparam("of")) & to_them, given

    def _message(self, row: Any) -> dict[str, Any]:
        shown = {name: getattr(row, name) for name in ("created_at", "kind", "route", "state")}
        if row.payload is not None and row.kind != "code":
            shown["text"] = getattr(packed(row, self._seal), "body", "")
        return shown


def _where(holding: Holding) -> tuple[ColumnElement[bool], ...]:
    own = holding.table.c[holding.by] == bindparam("value")
    if "operator" not in holding.table.c:
        return (own,)
    return own, holding.table.c.operator == bindparam("of")


def _count(connection: Connection, table: Table, where: ColumnElement[bool], given: Mapping[str, Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(where), given).scalar_one())
