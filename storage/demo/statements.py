"""SQL statements that write the demo data set to the billing tables."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Insert, Select, String, bindparam, cast, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from storage.demo.demo_marker import demo_rows, record_rows
from storage.sql.tables import (
    billing_bills,
    billing_documents,
    billing_entries,
    billing_lines,
    billing_subscribers,
)

BILL, ENTRY = "bill", "entry"
"""Kinds of recorded rows; lines and documents go with their bill."""
INSERT_SUBSCRIBER = upsert(billing_subscribers).on_conflict_do_nothing(
    index_elements=[billing_subscribers.c.id]
)
UPDATE_SUBSCRIBER = (
    update(billing_subscribers)
    .where(billing_subscribers.c.id == bindparam("whose"))
    .values(since=bindparam("from_day"), sim_changed_at=bindparam("changed"))
)
INSERT_BILL = insert(billing_bills)
INSERT_LINE = insert(billing_lines)
INSERT_ENTRY = insert(billing_entries)
INSERT_DOCUMENT = insert(billing_documents)


@dataclass(frozen=True, slots=True)
class AccountRows:
    """Rows of one demo person's account, besides the subscriber."""

    bills: list[dict[str, Any]] = field(repr=False)
    lines: list[dict[str, Any]] = field(repr=False)
    documents: list[dict[str, Any]] = field(repr=False)
    entries: list[dict[str, Any]] = field(repr=False)


def delete_seeded_rows(connection: Connection, operator: str) -> None:
    """Delete the operator's bills and usage rows that an earlier seeding made, and no others."""
    bills, entries = (_seeded_keys(kind, operator) for kind in (BILL, ENTRY))
    own_bills = billing_bills.c.operator == operator, billing_bills.c.id.in_(bills)
    own_entries = billing_entries.c.operator == operator, cast(billing_entries.c.id, String).in_(entries)
    connection.execute(delete(billing_bills).where(*own_bills))
    connection.execute(delete(billing_entries).where(*own_entries))
    connection.execute(
        delete(demo_rows).where(demo_rows.c.operator == operator, demo_rows.c.kind.in_((BILL, ENTRY)))
    )


def insert_account_rows(connection: Connection, operator: str, rows: AccountRows) -> None:
    """Insert rows and record them as seeded; a bill whose id is taken already stays as it is."""
    taken = _taken_bills(connection, operator, [bill["id"] for bill in rows.bills])
    bills = [bill for bill in rows.bills if bill["id"] not in taken]
    _insert_all(connection, INSERT_BILL, bills)
    _insert_all(connection, INSERT_LINE, [line for line in rows.lines if line["bill"] not in taken])
    _insert_all(connection, INSERT_DOCUMENT, [each for each in rows.documents if each["bill"] not in taken])
    record_rows(connection, BILL, operator, [bill["id"] for bill in bills])
    if rows.entries:
        made = connection.execute(INSERT_ENTRY.returning(billing_entries.c.id), rows.entries).scalars().all()
        record_rows(connection, ENTRY, operator, made)


def _seeded_keys(kind: str, operator: str) -> Select[tuple[str]]:
    return select(demo_rows.c.key).where(demo_rows.c.kind == kind, demo_rows.c.operator == operator)


def _taken_bills(connection: Connection, operator: str, ids: list[str]) -> set[str]:
    same = select(billing_bills.c.id).where(billing_bills.c.operator == operator, billing_bills.c.id.in_(ids))
    return set(connection.execute(same).scalars())


def _insert_all(connection: Connection, statement: Insert, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)
