"""Holdings: every table that knows something of a line, and how a line's rows in it are found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, func, select

from storage.sql.schema import (
    audit,
    bindings,
    code_sends,
    code_tries,
    codes,
    consents,
    links,
    opt_outs,
    password_tries,
    passwords,
    preferences,
    registrations,
    tickets,
)

By = str
"""How rows are found: by the column of this name."""
Found = Mapping[By, Sequence[str | bytes]]
"""What a line is called in each such column; nothing where that is not known."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One table, how its rows are found, which columns are shown, what becomes of them."""

    table: Table
    by: By
    shown: tuple[str, ...]
    fate: Literal["deleted", "kept"] = "deleted"
    """When the line's owner asks to be forgotten."""
    bound: bool = True
    """Does it go when the number gets a new owner?"""

    @property
    def name(self) -> str:
        """How the report calls it."""
        return self.table.name if self.by != "by" else f"{self.table.name} from it"

    @property
    def where(self) -> ColumnElement[bool]:
        """The rows of one line, for `given`'s values."""
        own = self.table.c[self.by].in_(bindparam("values", expanding=True))
        if "operator" not in self.table.c:
            return own
        return and_(own, self.table.c.operator == bindparam("of"))

    def given(self, operator: str, found: Found) -> dict[str, Any]:
        """What `where` is to be given."""
        values = {"values": list(found[self.by])}
        return values if "operator" not in self.table.c else {**values, "of": operator}


CONSENT = ("what", "given", "text", "language", "channel", "proof", "at")
HOLDINGS: Sequence[Holding] = (
    Holding(preferences, "subscription", ("language", "notify", "email", "email_validated", "address", "at")),
    Holding(registrations, "subscription", ("by", "line", "account", "at")),
    Holding(registrations, "by", ("line", "account", "at")),
    Holding(links, "subscription", ("purpose", "expires_at", "opens")),
    Holding(tickets, "subscription", ("reference", "kind", "bill", "line", "at"), bound=False),
    Holding(passwords, "number", ("kind", "at")),
    Holding(password_tries, "number", ("kind", "since", "wrong")),
    Holding(opt_outs, "number", ("at",)),
    Holding(codes, "subject", ("purpose", "expires_at")),
    Holding(code_tries, "subject", ("purpose", "since", "wrong")),
    Holding(code_sends, "subject", ("times",)),
    Holding(bindings, "line", ("subscription", "since", "at"), bound=False),
    Holding(consents, "subscription", CONSENT, "kept", bound=False),
    Holding(audit, "actor", ("at", "channel", "action", "object", "outcome"), "kept", bound=False),
)
"""`kept`: under a pseudonym, as long as the law has us prove what was agreed and shown.

Not `bound`: an open question stays its asker's, who is told of it nowhere but on their own line; whose the
number is, is written anew; and what is kept is kept.
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose records: the number, its subscription (empty when billing knows nobody)."""

    operator: str
    number: str = field(repr=False)
    subscription: str = ""


def known(found: Found) -> Iterator[Holding]:
    """The holdings that can be looked into; without a subscription, those of the number only."""
    return (each for each in HOLDINGS if found[each.by])


def rows(connection: Connection, holding: Holding, operator: str, found: Found) -> list[dict[str, Any]]:
    """What is shown of a line's rows."""
    columns = [holding.table.c[name] for name in holding.shown]
    statement = select(*columns).where(holding.where)
    return [dict(row._mapping) for row in connection.execute(statement, holding.given(operator, found))]


def count(connection: Connection, holding: Holding, operator: str, found: Found) -> int:
    """How many rows a line has."""
    statement = select(func.count()).select_from(holding.table).where(holding.where)
    return int(connection.execute(statement, holding.given(operator, found)).scalar_one())


def drop(connection: Connection, holding: Holding, operator: str, found: Found) -> None:
    """Delete a line's rows."""
    connection.execute(delete(holding.table).where(holding.where), holding.given(operator, found))
