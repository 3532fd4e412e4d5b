"""Outbox insert, within the transaction of the change that causes the message."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import Errand, Notice
from storage.crypto import Seal
from storage.sql.schema import outbox
from storage.sql.wakeup import toll

PURPOSE = "outbox"
"""Purpose of the derived key that encrypts payloads."""

PRIORITY: Mapping[str, int] = {"code": 0, "reply": 1, "errand": 1, "notice": 2, "campaign": 3}
"""Kind of row -> priority; lower is sent first."""

ADD = insert(outbox).on_conflict_do_nothing(index_elements=[outbox.c.key])
"""ON CONFLICT DO NOTHING (PostgreSQL and SQLite): a key seen before changes nothing."""


def _common(item: Notice | Errand, kind: str, payload: bytes, at: datetime) -> dict[str, Any]:
    return {
        "key": item.key,
        "operator": item.operator,
        "kind": kind,
        "priority": PRIORITY[kind],
        "payload": payload,
        "expires_at": item.expires_at,
        "state": "pending",
        "fence": 0,
        "attempt": 0,
        "provider": "",
        "message_id": "",
        "reason": "",
        "created_at": at,
        "changed_at": at,
    }


WRITTEN = json.JSONEncoder(ensure_ascii=False)


def sealed(notice: Notice, seal: Seal) -> bytes:
    """Return a message's subject and body encrypted, as they are stored."""
    text = WRITTEN.encode([notice.subject, notice.body])
    return seal.close(text.encode("utf-8", "surrogatepass"), notice.key)


def row_of(notice: Notice, seal: Seal, at: datetime) -> dict[str, Any]:
    """Return a message as a row of the outbox."""
    return {
        **_common(notice, notice.kind, sealed(notice, seal), at),
        "form": "notice",
        "to": notice.to,
        "route": notice.route,
        "language": notice.language,
        "step": "",
        "due_at": notice.due_at or at,
    }


def _errand(errand: Errand, seal: Seal, at: datetime) -> dict[str, Any]:
    return {
        **_common(errand, "errand", seal.close(errand.session, errand.key), at),
        "form": "errand",
        "to": "",
        "route": "",
        "language": "",
        "step": errand.step,
        "due_at": at,
    }


def enqueue(connection: Connection, seal: Seal, items: Iterable[Notice | Errand], at: datetime) -> int:
    """Insert messages and deferred steps into the outbox, each key once; return how many were given.

    Other processes are notified at the commit; after it, signal the database's own `wakeup`.
    """
    rows = [row_of(item, seal, at) if isinstance(item, Notice) else _errand(item, seal, at) for item in items]
    if rows:
        connection.execute(ADD, rows)
        toll(connection)
    return len(rows)


def packed(row: Any, seal: Seal) -> Notice | Errand:
    """Return the message or deferred step of a row.

    Raises ValueError when its payload was deleted (retention) or cannot be decrypted.
    """
    if row.payload is None:
        raise ValueError("the payload of this row was deleted")
    text = seal.open(row.payload, row.key)
    if row.form == "errand":
        return Errand(row.key, row.operator, row.step, text, row.expires_at)
    subject, body = json.loads(text.decode("utf-8", "surrogatepass"))
    return Notice(
        key=row.key,
        operator=row.operator,
        to=row.to,
        route=row.route,
        kind=row.kind,
        body=body,
        language=row.language,
        subject=subject,
        expires_at=row.expires_at,
    )
