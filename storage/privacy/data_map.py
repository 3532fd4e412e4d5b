"""Personal-data map: each table with data of a line, how its rows are found, what erasure does."""

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
"""Name of the column that identifies a line in a table."""
Found = Mapping[By, Sequence[str | bytes]]
"""The values that identify a line, by key column; an empty list where they are not known."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A table with personal data: its key column, exported columns and treatment on erasure."""

    table: Table
    by: By
    shown: tuple[str, ...]
    fate: Literal["deleted", "kept"] = "deleted"
    """What happens to the rows when the subscriber asks for erasure."""
    bound: bool = True
    """Whether the rows are deleted when the number gets a new owner."""

    @property
    def name(self) -> str:
        """Name in reports."""
        return self.table.name if self.by != "by" else f"{self.table.name} from it"

    @property
    def where(self) -> ColumnElement[bool]:
        """Condition that selects one line's rows, with the parameters of `filter_values`."""
        own = self.table.c[self.by].in_(bindparam("values", expanding=True))
        if "operator" not in self.table.c:
            return own
        return and_(own, self.table.c.operator == bindparam("of"))

    def given(self, operator: str, found: Found) -> dict[str, Any]:
        """Return the bind parameters of `row_filter`."""
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
"""All tables with personal data of a line, besides the outbox (`storage.privacy.export_erase`).

`kept` rows stay under a pseudonym, for as long as the law requires proof of what was agreed and shown.
Kept when the number gets a new owner: tickets, which remain with the subscriber who opened them and are
answered on their line only; bindings, which are overwritten; consents and the audit trail.
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A data subject: a number and its subscription (empty when billing does not know the number)."""

    operator: str
    number: str = field(repr=False)
    subscription: str = ""


def known(found: Found) -> Iterator[Holding]:
    """Return the tables that can be searched; without a subscription, those keyed by number only."""
    return (each for each in HOLDINGS if found[each.by])


def rows(connection: Connection, holding: Holding, operator: str, found: Found) -> list[dict[str, Any]]:
    """Return the exported columns of a line's rows."""
    columns = [holding.table.c[name] for name in holding.shown]
    statement = select(*columns).where(holding.where)
    return [dict(row._mapping) for row in connection.execute(statement, holding.given(operator, found))]


def count(connection: Connection, holding: Holding, operator: str, found: Found) -> int:
    """Return the number of rows of a line."""
    statement = select(func.count()).select_from(holding.table).where(holding.where)
    return int(connection.execute(statement, holding.given(operator, found)).scalar_one())


def drop(connection: Connection, holding: Holding, operator: str, found: Found) -> None:
    """Delete the rows of a line."""
    connection.execute(delete(holding.table).where(holding.where), holding.given(operator, found))
