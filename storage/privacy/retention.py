"""Retention schedule: how long each kind of record is kept; the worker applies it every hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from storage.audit import trail as trail
from storage.sql.engine import Database
from storage.sql.schema import (
    audit,
    changes,
    code_budgets,
    code_sends,
    code_tries,
    codes,
    links,
    outbox,
    password_tries,
    receipts,
)

DAY = timedelta(days=1)
DONE = ("sent", "delivered", "failed", "dead", "expired", "opted_out", "unknown")
_BEFORE = bindparam("before", type_=outbox.c.changed_at.type)
_DONE = (outbox.c.state.in_(DONE), outbox.c.due_at.is_(None), outbox.c.changed_at < _BEFORE)
_OLDEST_KEPT = select(func.max(audit.c.seq)).where(audit.c.at < _BEFORE).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Term:
    """How long one kind of record is kept, and the statement that deletes it."""

    what: str
    keep: timedelta
    statement: Any


TERMS = (
    Term("codes", DAY, delete(codes).where(codes.c.expires_at < _BEFORE)),
    Term("wrong codes", DAY, delete(code_tries).where(code_tries.c.since < _BEFORE)),
    Term("codes sent", DAY, delete(code_sends).where(code_sends.c.since < _BEFORE)),
    Term("code budgets", DAY, delete(code_budgets).where(code_budgets.c.since < _BEFORE)),
    Term("wrong passwords", DAY, delete(password_tries).where(password_tries.c.since < _BEFORE)),
    Term("keys of changes", 7 * DAY, delete(changes).where(changes.c.at < _BEFORE)),
    Term(
        "what links held",
        timedelta(0),
        update(links).where(links.c.expires_at < _BEFORE, links.c.value != "").values(value="", opens=0),
    ),
    Term("links", 30 * DAY, delete(links).where(links.c.expires_at < _BEFORE)),
    Term(
        "bodies of messages",
        30 * DAY,
        update(outbox).where(*_DONE, outbox.c.payload.is_not(None)).values(payload=None),
    ),
    Term("messages", 365 * DAY, delete(outbox).where(*_DONE)),
    Term("receipts", 365 * DAY, delete(receipts).where(receipts.c.at < _BEFORE)),
    Term("audit trail", trail.KEEP, delete(audit).where(audit.c.seq < _OLDEST_KEPT)),
)
"""The retention rules; `period` counts from expiry for codes and links, else from the last change.

Links are valid for 72 hours: their value is deleted at expiry, the hash of their token 30 days later. The
youngest expired audit entry is kept as the start of the chain. Consents, preferences and bindings are kept
as long as the account.
"""


async def run(database: Database, now: datetime) -> dict[str, int]:
    """Delete what is past its retention period; return the number of rows of each kind."""
    counts: dict[str, int] = {}
    for rule in TERMS:
        counts[rule.what] = await database.write(lambda c, rule=rule: _run(c, rule, now), seconds=60)  # type: ignore[misc]
    return counts


def _run(connection: Connection, term: Term, now: datetime) -> int:
    return int(connection.execute(term.statement, {"before": now - term.keep}).rowcount)
