"""Charges in SQL: each decided in one transaction that holds the lock of the line's policy."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.purchase_ports import Followers
from flows.domain.purchase_records import (
    Charge,
    ChargeDecision,
    ChargeRequest,
    ChargeStep,
    MonthlySpending,
    SpendPolicy,
)
from flows.domain.purchase_rules import crossed_thresholds, find_denial, sum_month
from flows.domain.records import AuditEntry, Secret
from storage import idempotency
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.purchases.charge_rows import ChargeRows
from storage.purchases.policies import read_policy
from storage.sql.engine import Database
from storage.sql.tables import purchase_alerts, purchase_charges

T = TypeVar("T")
_ROW = purchase_charges.c
INSERT_CHARGE = upsert(purchase_charges).on_conflict_do_nothing()
INSERT_ALERT = upsert(purchase_alerts).on_conflict_do_nothing().returning(purchase_alerts.c.threshold)
SELECT_CHARGE = select(purchase_charges).where(_ROW.operator == bindparam("of"), _ROW.id == bindparam("charge"))
LOCK_CHARGE = SELECT_CHARGE.with_for_update()
SELECT_BY_CORRELATOR = select(purchase_charges).where(
    *(_ROW[name] == bindparam(f"its_{name}") for name in ("operator", "merchant", "correlator"))
)
SELECT_MONTH = (
    select(purchase_charges)
    .where(
        _ROW.operator == bindparam("of"),
        _ROW.subscription == bindparam("whose"),
        _ROW.period == bindparam("month"),
    )
    .order_by(_ROW.created_at.desc(), _ROW.id)
)
SELECT_OF_MERCHANT = (
    select(purchase_charges)
    .where(
        _ROW.operator == bindparam("of"),
        _ROW.merchant == bindparam("whose"),
        _ROW.created_at >= bindparam("since"),
        _ROW.created_at <= bindparam("until"),
    )
    .order_by(_ROW.created_at.desc(), _ROW.id)
    .limit(bindparam("most"))
)
MARK_BILLED = (
    update(purchase_charges)
    .where(_ROW.operator == bindparam("of"), _ROW.id == bindparam("charge"))
    .values(is_billed=True)
)


class SqlCharges:
    """Implements the `Charges` port; `secret` encrypts phone numbers and the outbox's payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer = AuditWriter(secret)
        self._rows = ChargeRows(AeadCipher(secret, "purchases"))
        self._outbox_cipher = AeadCipher(secret, KEY_PURPOSE)
        self._line_locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def decide_charge(self, request: ChargeRequest, followers: Followers) -> ChargeDecision:
        """Decide and store a charge with what follows; a correlator used before decides nothing."""

        def job(connection: Connection) -> ChargeDecision:
            wanted = request.charge
            policy = read_policy(connection, wanted.operator, wanted.subscription, is_locked=True)
            spending = self._sum_month(connection, wanted, wanted.created_at)
            denial = find_denial(request, policy, spending)
            charge = replace(wanted, state="denied", reason=denial, reserved_until=None) if denial else wanted
            if not connection.execute(INSERT_CHARGE, self._rows.row_of(charge)).rowcount:
                return ChargeDecision(self._find_earlier(connection, charge), policy, spending, is_new=False)
            return replace(self._follow(connection, charge, policy, spending, followers), denial=denial)

        async with self._line_lock(request.charge):
            return await self._write(job)

    async def advance_charge(self, step: ChargeStep, followers: Followers) -> ChargeDecision | None:
        """Make a step of a charge; None when it is in another state or its reservation has lapsed."""

        def job(connection: Connection) -> ChargeDecision | None:
            found = self._lock_charge(connection, step.operator, step.charge_id)
            if found is None or found[0].state not in step.expected:
                return None
            charge, policy = found
            if step.state != "cancelled" and not charge.holds_amount(step.changed_at):
                return None
            spending = self._sum_month(connection, charge, step.changed_at)
            changed = replace(charge, state=step.state, changed_at=step.changed_at, reason=step.reason)
            self._update_charge(connection, changed)
            return self._follow(connection, changed, policy, spending, followers)

        return await self._write(job)

    async def refund_charge(
        self, operator: str, charge_id: str, amount: Decimal, key: str, at: datetime, followers: Followers
    ) -> ChargeDecision | None:
        """Give back part or all of a charge, once per key; None for more than is left of it."""

        def job(connection: Connection) -> ChargeDecision | None:
            found = self._lock_charge(connection, operator, charge_id)
            if found is None or found[0].state != "succeeded":
                return None
            charge, policy = found
            changed = replace(charge, refunded=charge.refunded + amount, changed_at=at)
            spending = self._sum_month(connection, charge, at)
            outcome = "ok" if 0 < amount <= charge.amount - charge.refunded else "refused"
            earlier = idempotency.reserve_key(connection, f"{charge_id}/refund/{key}", outcome, None, at)
            if earlier == "ok":
                return ChargeDecision(charge, policy, spending, is_new=False)
            if outcome == "refused":
                return None
            self._update_charge(connection, changed)
            return self._follow(connection, changed, policy, spending, followers)

        return await self._write(job)

    async def mark_billed(self, operator: str, charge_id: str) -> None:
        """Note that billing has the charge."""
        values = {"of": operator, "charge": charge_id}
        await self._database.write(lambda connection: connection.execute(MARK_BILLED, values).rowcount)

    async def find_charge(self, operator: str, charge_id: str) -> Charge | None:
        """Return a charge of this operator; None when there is none."""
        values = {"of": operator, "charge": charge_id}
        return next(iter(await self._database.read(lambda c: self._rows.fetch(c, SELECT_CHARGE, values))), None)

    async def list_merchant_charges(
        self, operator: str, merchant: str, since: datetime, until: datetime, limit: int
    ) -> Sequence[Charge]:
        """Return a merchant's charges created from `since` to `until`, newest first."""
        values = {"of": operator, "whose": merchant, "since": since, "until": until, "most": limit}
        return await self._database.read(lambda c: self._rows.fetch(c, SELECT_OF_MERCHANT, values))

    async def list_month(self, operator: str, subscription: str, period: str) -> Sequence[Charge]:
        """Return all charges of a line in one month, newest first."""
        values = {"of": operator, "whose": subscription, "month": period}
        return await self._database.read(lambda c: self._rows.fetch(c, SELECT_MONTH, values))

    async def read_month(self, operator: str, subscription: str, period: str, now: datetime) -> MonthlySpending:
        """Return what a line's purchases of one month come to."""
        return sum_month(await self.list_month(operator, subscription, period), now)

    def _line_lock(self, charge: Charge) -> asyncio.Lock:
        """Return the lock on which this process's decisions of one line wait, holding no connection."""
        return self._line_locks.setdefault((charge.operator, charge.subscription), asyncio.Lock())

    async def _write(self, job: Callable[[Connection], T]) -> T:
        result = await self._database.write(job)
        self._database.wakeup.wake_waiters()
        return result

    def _sum_month(self, connection: Connection, charge: Charge, now: datetime) -> MonthlySpending:
        values = {"of": charge.operator, "whose": charge.subscription, "month": charge.period}
        return sum_month(self._rows.fetch(connection, SELECT_MONTH, values), now)

    def _find_earlier(self, connection: Connection, charge: Charge) -> Charge:
        names = ("operator", "merchant", "correlator")
        values = {f"its_{name}": getattr(charge, name) for name in names}
        return self._rows.fetch(connection, SELECT_BY_CORRELATOR, values)[0]

    def _lock_charge(
        self, connection: Connection, operator: str, charge_id: str
    ) -> tuple[Charge, SpendPolicy | None] | None:
        """Lock the policy first and the charge then, in the order of every decision."""
        values = {"of": operator, "charge": charge_id}
        found = self._rows.fetch(connection, SELECT_CHARGE, values)
        if not found:
            return None
        policy = read_policy(connection, operator, found[0].subscription, is_locked=True)
        return self._rows.fetch(connection, LOCK_CHARGE, values)[0], policy

    def _update_charge(self, connection: Connection, charge: Charge) -> None:
        changed = {name: getattr(charge, name) for name in ("state", "changed_at", "reason", "refunded")}
        connection.execute(update(purchase_charges).where(_ROW.id == charge.id).values(**changed))

    def _follow(
        self,
        connection: Connection,
        charge: Charge,
        policy: SpendPolicy | None,
        before: MonthlySpending,
        followers: Followers,
    ) -> ChargeDecision:
        """Write the audit entry and enqueue what follows a decision or a step."""
        after = self._sum_month(connection, charge, charge.changed_at)
        crossed = crossed_thresholds(policy.alerts, before.spent, after.spent) if policy else ()
        fresh = tuple(each for each in crossed if _record_alert(connection, charge, each))
        decision = ChargeDecision(charge, policy, after, fresh)
        self._audit_writer.append_entries(connection, (_audit_entry(charge),))
        enqueue_items(connection, self._outbox_cipher, followers(decision), charge.changed_at)
        return decision


def _record_alert(connection: Connection, charge: Charge, threshold: Decimal) -> bool:
    """Note an alert; False when it was sent in this month before."""
    row = {
        "operator": charge.operator,
        "subscription": charge.subscription,
        "period": charge.period,
        "threshold": threshold,
        "at": charge.changed_at,
    }
    return connection.execute(INSERT_ALERT, row).first() is not None


def _audit_entry(charge: Charge) -> AuditEntry:
    """Build the audit log entry of a charge: who, which, what became of it; never how much."""
    action, outcome = f"purchase.{charge.state}", charge.reason or "ok"
    return AuditEntry(
        charge.operator, charge.subscription, action, charge.changed_at, "merchant", charge.id, outcome
    )
