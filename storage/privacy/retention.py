"""Retention schedule: how long each kind of record is kept; the worker applies it every hour."""

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, case, delete, func, or_, select, text, tuple_, update

from flows.domain.failures import Unavailable
from storage.audit import trail as trail
from storage.sql.audit_schema import audit_pages
from storage.sql.engine import Database
from storage.sql.payment_schema import payment_resolutions
from storage.sql.tables import (
    audit,
    changes,
    code_budgets,
    code_sends,
    code_tries,
    codes,
    console_erasures,
    console_sessions,
    conversations,
    link_deliveries,
    links,
    outbox,
    password_tries,
    payment_events,
    payment_intents,
    payment_promises,
    purchase_alerts,
    purchase_charges,
    receipts,
)

log = logging.getLogger("dialtree.maintenance")
DAY = timedelta(days=1)
FINAL_STATES = ("sent", "delivered", "failed", "dead", "expired", "opted_out", "unknown")
_BEFORE = bindparam("before", type_=outbox.c.changed_at.type)
_FINISHED_BEFORE = (outbox.c.state.in_(FINAL_STATES), outbox.c.due_at.is_(None), outbox.c.changed_at < _BEFORE)
_YOUNGEST_EXPIRED_SEQ = select(func.max(audit.c.seq)).where(audit.c.at < _BEFORE).scalar_subquery()
_PAGE = audit_pages.c
_IS_FIRST_PAGE = _PAGE.number == 1
_KEPT_PAGES_BEGIN = (
    select(case((_IS_FIRST_PAGE, 0), else_=_PAGE.floor_id))
    .where(_PAGE.newest_at >= _BEFORE)
    .order_by(_PAGE.number)
    .limit(1)
    .scalar_subquery()
)
"""Lowest id that a page kept may have: 0 while the first page is kept: it follows single lines."""
_LAST_CHAINED_ID = select(func.max(_PAGE.last_id)).scalar_subquery()
"""That line stays: SQLite would give its id to the next."""
_YOUNGEST_EXPIRED_PAGE = select(func.max(_PAGE.number)).where(_PAGE.newest_at < _BEFORE).scalar_subquery()
_IN_EXPIRED_PAGE = and_(audit.c.at < _BEFORE, audit.c.id < func.coalesce(_KEPT_PAGES_BEGIN, _LAST_CHAINED_ID))


BATCH_ROWS = 10_000
"""Rows of one transaction: short enough for what waits behind it, and nothing is lost when one fails."""
BATCH_SECONDS = 60.0
"""Time limit of one batch, on the server as well: a cold table takes longer than other statements may."""


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long one kind of record is kept: the rows to delete, or to overwrite with `values`."""

    name: str
    period: timedelta
    table: Table
    conditions: tuple[Any, ...]
    values: Mapping[str, Any] | None = None

    def batch_statement(self) -> Any:
        """Return the statement that deletes or overwrites at most `batch` rows older than `before`.

        The conditions stand in it twice: rows renewed meanwhile by others must not be deleted.
        """
        key = self.table.primary_key.columns
        batch = select(*key).where(*self.conditions).limit(bindparam("batch"))
        due = (*self.conditions, tuple_(*key).in_(batch))
        if self.values is None:
            return delete(self.table).where(*due)
        return update(self.table).where(*due).values(**self.values)


RETENTION_RULES = (
    RetentionRule("conversations", timedelta(0), conversations, (conversations.c.expires_at < _BEFORE,)),
    RetentionRule("codes", DAY, codes, (codes.c.expires_at < _BEFORE,)),
    RetentionRule("wrong codes", DAY, code_tries, (code_tries.c.since < _BEFORE,)),
    RetentionRule("codes sent", DAY, code_sends, (code_sends.c.since < _BEFORE,)),
    RetentionRule("code budgets", DAY, code_budgets, (code_budgets.c.since < _BEFORE,)),
    RetentionRule("wrong passwords", DAY, password_tries, (password_tries.c.since < _BEFORE,)),
    RetentionRule("keys of changes", 7 * DAY, changes, (changes.c.at < _BEFORE,)),
    RetentionRule(
        "what links held",
        timedelta(0),
        links,
        (links.c.expires_at < _BEFORE, links.c.value != ""),
        {"value": "", "opens": 0},
    ),
    RetentionRule("links", 30 * DAY, links, (links.c.expires_at < _BEFORE,)),
    RetentionRule(
        "bodies of messages",
        30 * DAY,
        outbox,
        (*_FINISHED_BEFORE, outbox.c.payload.is_not(None)),
        {"payload": None},
    ),
    RetentionRule("messages", 365 * DAY, outbox, _FINISHED_BEFORE),
    RetentionRule("receipts", 365 * DAY, receipts, (receipts.c.at < _BEFORE,)),
    RetentionRule("messages of links", DAY, link_deliveries, (link_deliveries.c.at < _BEFORE,)),
    RetentionRule("payment events", 400 * DAY, payment_events, (payment_events.c.at < _BEFORE,)),
    RetentionRule(
        "numbers of payments",
        400 * DAY,
        payment_intents,
        (
            payment_intents.c.changed_at < _BEFORE,
            payment_intents.c.state.in_(("booked", "refunded", "failed", "expired")),
            payment_intents.c.people != b"",
        ),
        {"people": b""},
    ),
    RetentionRule(
        "notes of staff on payments",
        400 * DAY,
        payment_resolutions,
        (payment_resolutions.c.at < _BEFORE, payment_resolutions.c.note != ""),
        {"note": ""},
    ),
    RetentionRule("promises to pay", 400 * DAY, payment_promises, (payment_promises.c.promised_at < _BEFORE,)),
    RetentionRule("purchase alerts", 400 * DAY, purchase_alerts, (purchase_alerts.c.at < _BEFORE,)),
    RetentionRule(
        "numbers of charges",
        400 * DAY,
        purchase_charges,
        (purchase_charges.c.changed_at < _BEFORE, purchase_charges.c.line != b""),
        {"line": b""},
    ),
    RetentionRule("sessions of staff", DAY, console_sessions, (console_sessions.c.expires_at < _BEFORE,)),
    RetentionRule("erasures asked for", 30 * DAY, console_erasures, (console_erasures.c.changed_at < _BEFORE,)),
    RetentionRule(
        "audit log", trail.RETENTION, audit, (or_(audit.c.seq < _YOUNGEST_EXPIRED_SEQ, _IN_EXPIRED_PAGE),)
    ),
    RetentionRule(
        "pages of the audit log", trail.RETENTION, audit_pages, (_PAGE.number < _YOUNGEST_EXPIRED_PAGE,)
    ),
)
"""The retention rules; `period` counts from expiry where a row has one, else from the last change.

Links are valid for 72 hours: their value is deleted at expiry, the hash of their token 30 days later. The
youngest expired audit entry, or page without its entries, is kept as the start of the chain. Consents,
preferences and bindings are kept as long as the account.
"""


async def apply_retention(database: Database, now: datetime, batch_rows: int = BATCH_ROWS) -> dict[str, int]:
    """Delete what is past its retention period; return the number of rows of each kind.

    Works in batches, each committed by itself. A rule that fails is logged as `retention.rule_failed` and
    does not keep the others from being applied; it goes on where it stopped the next time.
    """
    counts: dict[str, int] = {}
    for rule in RETENTION_RULES:
        counts[rule.name] = 0
        try:
            async for count in _apply_in_batches(database, rule, now, batch_rows):
                counts[rule.name] += count
        except Unavailable as failure:
            extra = {"table": rule.name, "failure": type(failure).__name__, "count": counts[rule.name]}
            log.warning("retention.rule_failed", extra=extra)
    return counts


async def _apply_in_batches(
    database: Database, rule: RetentionRule, now: datetime, batch_rows: int
) -> AsyncIterator[int]:
    """Apply one rule batch by batch and yield the rows of each, until a batch is not full."""
    statement, parameters = rule.batch_statement(), {"before": now - rule.period, "batch": batch_rows}

    def apply_batch(connection: Connection) -> int:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL statement_timeout = '{BATCH_SECONDS:.0f}s'"))
        return int(connection.execute(statement, parameters).rowcount)

    count = batch_rows
    while count >= batch_rows:
        count = await database.write(apply_batch, seconds=BATCH_SECONDS)
        yield count
