"""Retention schedule: how long each kind of record is kept; the worker applies it every hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from storage.audit import trail as trail
from storage.sql.engine import Database
from storage.sql.tables import (
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
FINAL_STATES = ("sent", "delivered", "failed", "dead", "expired", "opted_out", "unknown")
_BEFORE = bindparam("before", type_=outbox.c.changed_at.type)
_FINISHED_BEFORE = (outbox.c.state.in_(FINAL_STATES), outbox.c.due_at.is_(None), outbox.c.changed_at < _BEFORE)
_YOUNGEST_EXPIRED_SEQ = select(func.max(audit.c.seq)).where(audit.c.at < _BEFORE).scalar_subquery()


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long one kind of record is kept, and the statement that deletes it."""

    name: str
    period: timedelta
    statement: Any


RETENTION_RULES = (
    RetentionRule("codes", DAY, delete(codes).where(codes.c.expires_at < _BEFORE)),
    RetentionRule("wrong codes", DAY, delete(code_tries).where(code_tries.c.since < _BEFORE)),
    RetentionRule("codes sent", DAY, delete(code_sends).where(code_sends.c.since < _BEFORE)),
    RetentionRule("code budgets", DAY, delete(code_budgets).where(code_budgets.c.since < _BEFORE)),
    RetentionRule("wrong passwords", DAY, delete(password_tries).where(password_tries.c.since < _BEFORE)),
    RetentionRule("keys of changes", 7 * DAY, delete(changes).where(changes.c.at < _BEFORE)),
    RetentionRule(
        "what links held",
        timedelta(0),
        update(links).where(links.c.expires_at < _BEFORE, links.c.value != "").values(value="", opens=0),
    ),
    RetentionRule("links", 30 * DAY, delete(links).where(links.c.expires_at < _BEFORE)),
    RetentionRule(
        "bodies of messages",
        30 * DAY,
        update(outbox).where(*_FINISHED_BEFORE, outbox.c.payload.is_not(None)).values(payload=None),
    ),
    RetentionRule("messages", 365 * DAY, delete(outbox).where(*_FINISHED_BEFORE)),
    RetentionRule("receipts", 365 * DAY, delete(receipts).where(receipts.c.at < _BEFORE)),
    RetentionRule("audit trail", trail.RETENTION, delete(audit).where(audit.c.seq < _YOUNGEST_EXPIRED_SEQ)),
)
"""The retention rules; `period` counts from expiry for codes and links, else from the last change.

Links are valid for 72 hours: their value is deleted at expiry, the hash of their token 30 days later. The
youngest expired audit entry is kept as the start of the chain. Consents, preferences and bindings are kept
as long as the account.
"""


async def apply_retention(database: Database, now: datetime) -> dict[str, int]:
    """Delete what is past its retention period; return the number of rows of each kind."""
    counts: dict[str, int] = {}
    for rule in RETENTION_RULES:
        counts[rule.name] = await database.write(lambda c, rule=rule: _apply_rule(c, rule, now), seconds=60)  # type: ignore[misc]
    return counts


def _apply_rule(connection: Connection, rule: RetentionRule, now: datetime) -> int:
    return int(connection.execute(rule.statement, {"before": now - rule.period}).rowcount)
