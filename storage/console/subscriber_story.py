"""The story of one line: its latest rows of every table with personal data, and its messages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, select

from flows.domain.conversation_records import StoredConversation
from flows.domain.records import AuditEntry, OutboundMessage, Secret
from storage.audit.conversation_rows import ConversationRows
from storage.console.link_tokens import mask_link_tokens
from storage.console.staff_log import SqlStaffLog
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, decrypt_item
from storage.privacy.data_map import DataSubject, LineKeys, PersonalDataTable, searchable_tables
from storage.privacy.number_owner import NumberOwners
from storage.sql.engine import Database
from storage.sql.outbox_schema import OUTBOX_COLUMNS, outbox
from storage.sql.tables import audit, receipts

MAX_ROWS = 50
"""Rows shown of each table and messages shown, the newest."""
MAX_STEPS = 200
"""Entries of the audit log shown: what the person did and saw, and what staff did for them."""
MAX_CONVERSATIONS = 20
"""Conversations shown, the newest."""
ORDER_COLUMNS = ("id", "created_at", "changed_at", "at", "since", "expires_at")
"""The first of these that a table has says which of its rows are the newest."""
MESSAGE_COLUMNS = (
    *("id", "kind", "route", "to", "state", "provider", "reason"),
    *("created_at", "changed_at", "due_at"),
)
"""Columns of the outbox that a message shows."""
UNREADABLE_TEXT = "unreadable"
_ROW = outbox.c
SELECT_MESSAGES = (
    select(*OUTBOX_COLUMNS.values())
    .where(_ROW.operator == bindparam("of"), _ROW.to == bindparam("recipient"))
    .order_by(_ROW.id.desc())
    .limit(MAX_ROWS)
)
"""Reads one recipient's rows from the end of `ix_outbox_recipient`, whatever the outbox holds besides."""
SELECT_RECEIPTS = select(receipts.c.row, receipts.c.state, receipts.c.reason, receipts.c.at).where(
    receipts.c.row.in_(bindparam("rows", expanding=True)), receipts.c.state.is_not(None)
)


@dataclass(frozen=True, slots=True)
class StoryMessage:
    """A message to the line, with its delivery receipt."""

    id: int
    kind: str
    route: str
    to: str = field(repr=False)
    state: str
    provider: str
    reason: str
    created_at: datetime
    changed_at: datetime
    due_at: datetime | None
    text: str = field(repr=False)
    """Its text without secrets; empty for a code, and once retention deleted it."""
    receipt_state: str = ""
    receipt_reason: str = ""
    receipt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriberStory:
    """What is stored about a line, the newest first."""

    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(repr=False)
    """Rows by the table's name, as the map of personal data names it, exported columns only."""
    messages: Sequence[StoryMessage] = field(repr=False)
    conversations: Sequence[StoredConversation] = field(default=(), repr=False)


class SqlStories:
    """Reads stories; each is written to the audit log before it is read."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._staff_log, self._number_owners = SqlStaffLog(database, secret), NumberOwners(secret)
        self._cipher = AeadCipher(secret, KEY_PURPOSE)
        self._conversation_rows = ConversationRows(secret)

    async def read_story(self, subject: DataSubject, entry: AuditEntry) -> SubscriberStory:
        """Return the story of a line; nothing is read when the audit entry cannot be written."""
        await self._staff_log.record_entry(entry)
        return await self._database.read(lambda connection: self._read_tables(connection, subject))

    def _read_tables(self, connection: Connection, subject: DataSubject) -> SubscriberStory:
        keys, tables = self._number_owners.line_keys(subject), dict[str, list[Mapping[str, Any]]]()
        for each in searchable_tables(keys):
            tables[each.name] = _newest_rows(connection, each, subject.operator, keys)
        messages = self._read_messages(connection, subject, tables)
        newest = self._conversation_rows.read_newest(
            connection, subject.operator, subject.number, MAX_CONVERSATIONS
        )
        return SubscriberStory(tables, messages, newest)

    def _read_messages(
        self, connection: Connection, subject: DataSubject, tables: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> list[StoryMessage]:
        addresses = {row["email"] for row in tables.get("preferences", ()) if row["email"]}
        rows = [
            row
            for recipient in (subject.number, *sorted(addresses))
            for row in connection.execute(SELECT_MESSAGES, {"of": subject.operator, "recipient": recipient})
        ]
        newest = sorted(rows, key=lambda row: int(row.id), reverse=True)[:MAX_ROWS]
        found = connection.execute(SELECT_RECEIPTS, {"rows": [row.id for row in newest]})
        by_row = {receipt.row: receipt for receipt in found}
        return [self._build_message(row, by_row.get(row.id)) for row in newest]

    def _build_message(self, row: Any, receipt: Any) -> StoryMessage:
        text = "" if row.payload is None or row.kind == "code" else self._message_text(row)
        stored: dict[str, Any] = {name: getattr(row, name) for name in MESSAGE_COLUMNS}
        message = StoryMessage(**stored, text=mask_link_tokens(text))
        if receipt is None:
            return message
        heard = {"receipt_state": receipt.state, "receipt_reason": receipt.reason, "receipt_at": receipt.at}
        return replace(message, **heard)

    def _message_text(self, row: Any) -> str:
        try:
            item = decrypt_item(row, self._cipher)
        except ValueError:
            return UNREADABLE_TEXT
        return item.body if isinstance(item, OutboundMessage) else ""


def _newest_rows(
    connection: Connection, personal: PersonalDataTable, operator: str, keys: LineKeys
) -> list[Mapping[str, Any]]:
    """Return the newest rows of a line; each of its keys is looked up by itself, from the end of its index."""
    limit = MAX_STEPS if personal.table is audit else MAX_ROWS
    rows = [
        row._mapping
        for value in keys[personal.key_column]
        for row in connection.execute(newest_statement(personal, operator, value, limit))
    ]
    rows.sort(key=lambda row: row["order_value"], reverse=True)
    return [{name: row[name] for name in personal.exported_columns} for row in rows[:limit]]


def newest_statement(
    personal: PersonalDataTable, operator: str, value: str | bytes, limit: int
) -> Select[tuple[Any, ...]]:
    """Return the statement that reads the newest rows of one key."""
    table = personal.table
    order = next(_order_columns(personal))
    conditions = [table.c[personal.key_column] == value]
    if "operator" in table.c:
        conditions.append(table.c.operator == operator)
    columns = [table.c[name] for name in personal.exported_columns]
    return select(*columns, order.label("order_value")).where(*conditions).order_by(order.desc()).limit(limit)


def _order_columns(personal: PersonalDataTable) -> Iterator[Column[Any]]:
    """Yield the columns by which the newest row is the first; random ids say nothing about age."""
    table = personal.table
    yield from (table.c[name] for name in ORDER_COLUMNS if name in table.c and not _is_random_id(table.c[name]))
    yield from table.primary_key.columns


def _is_random_id(column: Column[Any]) -> bool:
    return column.name == "id" and column.type.python_type is str
