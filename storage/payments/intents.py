"""Payment intents in SQL: a compare-and-set state machine, and the provider events seen."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Integer, Select, and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.payment_records import (
    UNDER_WAY,
    PaymentChange,
    PaymentHint,
    PaymentIntent,
    PaymentResolution,
    PaymentState,
)
from flows.domain.records import AuditEntry, DeferredStep, OutboundMessage, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.sql.direct_query import DirectQuery
from storage.sql.engine import Database
from storage.sql.payment_schema import payment_resolutions
from storage.sql.tables import payment_events, payment_intents

_ROW = payment_intents.c
INSERT_INTENT = upsert(payment_intents).on_conflict_do_nothing()
INSERT_EVENT = upsert(payment_events).on_conflict_do_nothing().returning(payment_events.c.event)
_OF_BILL = and_(
    _ROW.operator == bindparam("operator"), _ROW.account == bindparam("account"), _ROW.bill == bindparam("bill")
)
SELECT_INTENT = select(payment_intents).where(
    _ROW.operator == bindparam("operator"), _ROW.id == bindparam("intent")
)
SELECT_BILL_INTENTS = select(payment_intents).where(_OF_BILL).order_by(_ROW.created_at.desc(), _ROW.id)
SELECT_UNDER_WAY = (
    select(payment_intents)
    .where(
        _ROW.operator == bindparam("operator"),
        _ROW.account == bindparam("account"),
        or_(*(_ROW.state == each for each in UNDER_WAY)),
    )
    .order_by(_ROW.created_at.desc(), _ROW.id)
)
UNDER_WAY_QUERY = DirectQuery[Sequence[Any]](
    SELECT_UNDER_WAY, lambda rows: [SimpleNamespace(**dict(row)) for row in rows]
)
SELECT_ACCOUNT_INTENTS = (
    select(payment_intents)
    .where(
        _ROW.operator == bindparam("operator"),
        _ROW.account == bindparam("account"),
        _ROW.state.in_(bindparam("states", expanding=True)),
    )
    .order_by(_ROW.created_at.desc(), _ROW.id)
    .limit(bindparam("most", type_=Integer))
)
SELECT_OPEN_INTENT = SELECT_BILL_INTENTS.where(_ROW.state.in_(("confirmed", "pending"))).limit(1)
SELECT_BOOKING = (
    select(_ROW.id)
    .where(
        _ROW.operator == bindparam("operator"),
        _ROW.account == bindparam("account"),
        _ROW.bill == bindparam("bill"),
        _ROW.state == "booking",
    )
    .limit(1)
)
_RESOLUTION = payment_resolutions.c
SELECT_RESOLUTION = select(_RESOLUTION.state, _RESOLUTION.amount, _RESOLUTION.staff, _RESOLUTION.note).where(
    _RESOLUTION.operator == bindparam("operator"), _RESOLUTION.intent == bindparam("intent")
)
_UPSERT_RESOLUTION = upsert(payment_resolutions)
UPSERT_RESOLUTION = _UPSERT_RESOLUTION.on_conflict_do_update(
    index_elements=[_RESOLUTION.intent],
    set_={name: _UPSERT_RESOLUTION.excluded[name] for name in ("state", "amount", "staff", "note", "at")},
)
LOCK_INTENT = select(payment_intents).where(_ROW.id == bindparam("intent")).with_for_update()


class SqlPaymentIntents:
    """Implements the `PaymentIntents` port; `secret` encrypts phone numbers and the outbox's payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer = AuditWriter(secret)
        self._people_cipher = AeadCipher(secret, "payments")
        self._outbox_cipher = AeadCipher(secret, KEY_PURPOSE)

    async def find_intent(self, operator: str, intent_id: str) -> PaymentIntent | None:
        """Return an intent of this operator; None when there is none."""
        found = await self._fetch_intents(SELECT_INTENT, operator=operator, intent=intent_id)
        return found[0] if found else None

    async def find_resolution(self, operator: str, intent_id: str) -> PaymentResolution | None:
        """Return what a person recorded about a payment of this operator; None for nothing."""
        values = {"operator": operator, "intent": intent_id}
        row = await self._database.read(
            lambda connection: connection.execute(SELECT_RESOLUTION, values).first()
        )
        return None if row is None else PaymentResolution(**row._mapping)

    async def list_bill_intents(self, operator: str, account: str, bill_id: str) -> Sequence[PaymentIntent]:
        """Return all intents of a bill, newest first."""
        return await self._fetch_intents(SELECT_BILL_INTENTS, operator=operator, account=account, bill=bill_id)

    async def list_payments_under_way(self, operator: str, account: str) -> Sequence[PaymentIntent]:
        """Return an account's intents in which money may be moving, newest first."""
        values = {"operator": operator, "account": account}
        rows = await self._database.read_directly(
            UNDER_WAY_QUERY, values, lambda connection: connection.execute(SELECT_UNDER_WAY, values).all()
        )
        return [self._intent_from_row(row) for row in rows]

    async def list_account_intents(
        self, operator: str, account: str, states: Collection[PaymentState], limit: int
    ) -> Sequence[PaymentIntent]:
        """Return an account's intents in these states, newest first."""
        return await self._fetch_intents(
            SELECT_ACCOUNT_INTENTS, operator=operator, account=account, states=list(states), most=limit
        )

    async def list_intents(
        self, operator: str, states: Collection[PaymentState], since: datetime, limit: int
    ) -> Sequence[PaymentIntent]:
        """Return intents created since then, newest first; an empty `states` means all."""
        query = (
            select(payment_intents)
            .where(_ROW.operator == operator, _ROW.created_at >= since)
            .order_by(_ROW.created_at.desc(), _ROW.id)
            .limit(limit)
        )
        return await self._fetch_intents(query.where(_ROW.state.in_(states)) if states else query)

    async def open_intent(self, intent: PaymentIntent, step: DeferredStep, entry: AuditEntry) -> PaymentIntent:
        """Store an intent with the step that follows it; return the bill's open one, this or an earlier."""
        row = self._intent_row(intent)
        bill = {"operator": intent.operator, "account": intent.account, "bill": intent.bill_id}

        def job(connection: Connection) -> Any:
            if connection.execute(INSERT_INTENT, row).rowcount:
                self._audit_writer.append_entries(connection, (entry,))
                enqueue_items(connection, self._outbox_cipher, (step,), intent.created_at)
            return connection.execute(SELECT_OPEN_INTENT, bill).one()

        opened = self._intent_from_row(await self._database.write(job))
        self._database.wakeup.wake_waiters()
        return opened

    async def advance(
        self,
        change: PaymentChange,
        items: Sequence[OutboundMessage | DeferredStep] = (),
        entries: Sequence[AuditEntry] = (),
    ) -> bool:
        """Make a step and enqueue `items`, in one transaction; False when the intent is in another state."""

        def job(connection: Connection) -> bool:
            if not _update_intent(connection, change):
                return False
            self._audit_writer.append_entries(connection, entries)
            enqueue_items(connection, self._outbox_cipher, items, change.changed_at)
            return True

        changed = await self._database.write(job)
        if changed and items:
            self._database.wakeup.wake_waiters()
        return changed

    async def record_callback(
        self, hint: PaymentHint, provider: str, step: DeferredStep, now: datetime
    ) -> bool:
        """Store an event and enqueue `step`, once per event; False when it was stored before."""
        row = {
            "operator": step.operator,
            "provider": provider,
            "event": hint.event_id,
            "intent": hint.intent_id,
            "at": now,
        }

        def job(connection: Connection) -> bool:
            if connection.execute(INSERT_EVENT, row).first() is None:
                return False
            enqueue_items(connection, self._outbox_cipher, (step,), now)
            return True

        is_new = await self._database.write(job)
        if is_new:
            self._database.wakeup.wake_waiters()
        return is_new

    async def _fetch_intents(self, query: Select[Any], **values: Any) -> list[PaymentIntent]:
        rows = await self._database.read(lambda connection: connection.execute(query, values).all())
        return [self._intent_from_row(row) for row in rows]

    def _intent_row(self, intent: PaymentIntent) -> dict[str, Any]:
        people = json.dumps([intent.line, intent.payer]).encode()
        return {
            **{name: getattr(intent, name) for name in _SAME_COLUMNS},
            "bill": intent.bill_id,
            "people": self._people_cipher.encrypt(people, intent.id),
        }

    def _intent_from_row(self, row: Any) -> PaymentIntent:
        """Build from a row; the numbers are empty once they were erased."""
        line, payer = json.loads(self._people_cipher.decrypt(row.people, row.id)) if row.people else ("", "")
        same = {name: getattr(row, name) for name in _SAME_COLUMNS}
        return PaymentIntent(**same, bill_id=row.bill, line=line, payer=payer)


_SAME_COLUMNS = (
    *("id", "operator", "subscription", "account", "bill_number", "issued", "language", "amount", "currency"),
    *("state", "created_at", "changed_at", "receipt", "provider", "reference", "page_url", "page_expires_at"),
    "reason",
)
"""The columns that are named as the intent's fields."""


def _update_intent(connection: Connection, change: PaymentChange) -> bool:
    """Compare and set the state; False when it is none of those expected, or the bill is being booked."""
    row = connection.execute(LOCK_INTENT, {"intent": change.intent_id}).first()
    if row is None or row.state not in change.expected:
        return False
    bill = {"operator": row.operator, "account": row.account, "bill": row.bill}
    if change.state == "booking" and connection.execute(SELECT_BOOKING, bill).first() is not None:
        return False
    given = {name: getattr(change, name) for name in ("reference", "page_url", "page_expires_at", "reason")}
    values = {name: value for name, value in given.items() if value}
    statement = update(payment_intents).where(_ROW.id == change.intent_id)
    connection.execute(statement.values(state=change.state, changed_at=change.changed_at, **values))
    if change.resolution is not None:
        connection.execute(UPSERT_RESOLUTION, _resolution_row(row.operator, change))
    return True


def _resolution_row(operator: str, change: PaymentChange) -> dict[str, Any]:
    given = asdict(change.resolution) if change.resolution else {}
    return {"intent": change.intent_id, "operator": operator, "at": change.changed_at, **given}
