"""Personal-data map: each table with data of a line, how its rows are found, what erasure does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, func, select

from storage.sql.tables import (
    audit,
    bindings,
    code_sends,
    code_tries,
    codes,
    consents,
    conversations,
    links,
    opt_outs,
    password_tries,
    passwords,
    payment_intents,
    payment_promises,
    preferences,
    purchase_alerts,
    purchase_charges,
    registrations,
    spend_policies,
    tickets,
)

KeyColumn = str
"""Name of the column that identifies a line in a table."""
LineKeys = Mapping[KeyColumn, Sequence[str | bytes]]
"""The values that identify a line, by key column; an empty list where they are not known."""


@dataclass(frozen=True, slots=True)
class PersonalDataTable:
    """A table with personal data: its key column, exported columns and treatment on erasure."""

    table: Table
    key_column: KeyColumn
    exported_columns: tuple[str, ...]
    on_erase: Literal["deleted", "kept", "kept as a keyed hash"] = "deleted"
    """What happens to the rows when the subscriber asks for erasure."""
    drops_with_owner: bool = True
    """Whether the rows are deleted when the number gets a new owner."""

    @property
    def name(self) -> str:
        """Name in reports."""
        return self.table.name if self.key_column != "by" else f"{self.table.name} from it"

    @property
    def row_filter(self) -> ColumnElement[bool]:
        """Condition that selects one line's rows, with the parameters of `filter_values`."""
        own = self.table.c[self.key_column].in_(bindparam("values", expanding=True))
        if "operator" not in self.table.c:
            return own
        return and_(own, self.table.c.operator == bindparam("of"))

    def filter_values(self, operator: str, keys: LineKeys) -> dict[str, Any]:
        """Return the bind parameters of `row_filter`."""
        values = {"values": list(keys[self.key_column])}
        return values if "operator" not in self.table.c else {**values, "of": operator}


TICKET_COLUMNS = ("reference", "kind", "bill", "line", "number", "detail", "state", "answer", "at")
CONSENT_COLUMNS = ("what", "given", "text", "language", "channel", "proof", "at")
PERSONAL_DATA_TABLES: Sequence[PersonalDataTable] = (
    PersonalDataTable(
        preferences,
        "subscription",
        ("language", "notify", "notify_number", "email", "email_validated", "email_state", "address", "at"),
    ),
    PersonalDataTable(registrations, "subscription", ("by", "line", "account", "at")),
    PersonalDataTable(registrations, "by", ("line", "account", "at")),
    PersonalDataTable(links, "subscription", ("purpose", "expires_at", "opens", "language")),
    PersonalDataTable(tickets, "subscription", TICKET_COLUMNS, drops_with_owner=False),
    PersonalDataTable(
        payment_intents,
        "subscription",
        ("bill_number", "amount", "currency", "state", "reason", "receipt", "created_at"),
        "kept",
        drops_with_owner=False,
    ),
    PersonalDataTable(
        payment_promises, "subscription", ("bill", "amount", "parts", "first_day", "last_day", "promised_at")
    ),
    PersonalDataTable(
        spend_policies, "subscription", ("is_enabled", "monthly_cap", "alerts", "blocked", "blocked_merchants")
    ),
    PersonalDataTable(purchase_alerts, "subscription", ("period", "threshold", "at")),
    PersonalDataTable(
        purchase_charges,
        "subscription",
        ("merchant", "category", "label", "amount", "currency", "state", "refunded", "created_at"),
        "kept",
        drops_with_owner=False,
    ),
    PersonalDataTable(passwords, "number", ("kind", "at")),
    PersonalDataTable(password_tries, "number", ("kind", "since", "wrong")),
    PersonalDataTable(opt_outs, "number", ("at",), "kept as a keyed hash"),
    PersonalDataTable(codes, "subject", ("purpose", "expires_at")),
    PersonalDataTable(code_tries, "subject", ("purpose", "since", "wrong")),
    PersonalDataTable(code_sends, "subject", ("times",)),
    PersonalDataTable(bindings, "line", ("subscription", "since", "at"), drops_with_owner=False),
    PersonalDataTable(conversations, "actor", ("channel", "started_at", "ended_at")),
    PersonalDataTable(consents, "subscription", CONSENT_COLUMNS, "kept", drops_with_owner=False),
    PersonalDataTable(
        audit, "actor", ("at", "channel", "action", "object", "outcome"), "kept", drops_with_owner=False
    ),
)
"""All tables with personal data of a line, besides the outbox (`storage.privacy.export_erase`).

`kept` rows stay under a pseudonym, for as long as the law requires proof of what was agreed and shown.
Kept when the number gets a new owner: tickets, which remain with the subscriber who opened them and are
answered on their line only; bindings, which are overwritten; payments and charges, whose numbers are erased;
consents and the audit log.
"""


@dataclass(frozen=True, slots=True)
class DataSubject:
    """A data subject: a number and its subscription (empty when billing does not know the number)."""

    operator: str
    number: str = field(repr=False)
    subscription: str = ""


def searchable_tables(keys: LineKeys) -> Iterator[PersonalDataTable]:
    """Return the tables that can be searched; without a subscription, those keyed by number only."""
    return (each for each in PERSONAL_DATA_TABLES if keys[each.key_column])


def export_rows(
    connection: Connection, personal: PersonalDataTable, operator: str, keys: LineKeys
) -> list[dict[str, Any]]:
    """Return the exported columns of a line's rows."""
    columns = [personal.table.c[name] for name in personal.exported_columns]
    statement = select(*columns).where(personal.row_filter)
    return [dict(row._mapping) for row in connection.execute(statement, personal.filter_values(operator, keys))]


def count_rows(connection: Connection, personal: PersonalDataTable, operator: str, keys: LineKeys) -> int:
    """Return the number of rows of a line."""
    statement = select(func.count()).select_from(personal.table).where(personal.row_filter)
    return int(connection.execute(statement, personal.filter_values(operator, keys)).scalar_one())


def delete_rows(connection: Connection, personal: PersonalDataTable, operator: str, keys: LineKeys) -> None:
    """Delete the rows of a line."""
    connection.execute(
        delete(personal.table).where(personal.row_filter), personal.filter_values(operator, keys)
    )
