"""Writing of charges: the locks of a change, the sum of a month, and what follows a decision."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.failures import NotFound
from flows.domain.purchase_ports import Followers
from flows.domain.purchase_records import Charge, ChargeDecision, MonthlySpending, SpendPolicy
from flows.domain.purchase_rules import crossed_thresholds, sum_after, sum_month
from flows.domain.records import AuditEntry, Secret
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.purchases.charge_rows import ChargeRows
from storage.purchases.policies import read_policy
from storage.sql.engine import Database
from storage.sql.tables import purchase_alerts, purchase_charges

T = TypeVar("T")
_ROW = purchase_charges.c
INSERT_ALERT = upsert(purchase_alerts).on_conflict_do_nothing().returning(purchase_alerts.c.threshold)
SELECT_CHARGE = select(purchase_charges).where(_ROW.operator == bindparam("of"), _ROW.id == bindparam("charge"))
LOCK_CHARGE = SELECT_CHARGE.with_for_update()
SELECT_MONTH = (
    select(purchase_charges)
    .where(
        _ROW.operator == bindparam("of"),
        _ROW.subscription == bindparam("whose"),
        _ROW.period == bindparam("month"),
    )
    .order_by(_ROW.created_at.desc(), _ROW.id)
)


class ChargeWriter:
    """What decisions, steps and refunds of charges share; `secret` encrypts numbers and payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer = AuditWriter(secret)
        self._rows = ChargeRows(AeadCipher(secret, "purchases"))
        self._outbox_cipher = AeadCipher(secret, KEY_PURPOSE)

    async def _write(self, job: Callable[[Connection], T]) -> T:
        result = await self._database.write(job)
        self._database.wakeup.wake_waiters()
        return result

    def _lock_charge(
        self, connection: Connection, operator: str, charge_id: str
    ) -> tuple[Charge, SpendPolicy | None]:
        """Lock the policy first and the charge then, in the order of every decision; NotFound without one."""
        values = {"of": operator, "charge": charge_id}
        found = self._rows.fetch(connection, SELECT_CHARGE, values)
        if not found:
            raise NotFound
        policy = read_policy(connection, operator, found[0].subscription, is_locked=True)
        return self._rows.fetch(connection, LOCK_CHARGE, values)[0], policy

    def _sum_month(self, connection: Connection, charge: Charge, now: datetime) -> MonthlySpending:
        """Return the sum of the charge's month."""
        values = {"of": charge.operator, "whose": charge.subscription, "month": charge.period}
        return sum_month(self._rows.fetch(connection, SELECT_MONTH, values), now)

    def _follow(
        self,
        connection: Connection,
        charge: Charge,
        policy: SpendPolicy | None,
        before: MonthlySpending,
        followers: Followers,
        *,
        earlier: Charge | None = None,
        action: str = "",
    ) -> ChargeDecision:
        """Write the audit entry and enqueue what follows a decision, a step or a refund.

        `before` is what the month came to, with the charge as it was then (`earlier`). `action` is what the
        audit log calls it; the charge's state without one.
        """
        after = sum_after(before, charge, earlier, charge.changed_at)
        crossed = crossed_thresholds(policy.alerts, before.spent, after.spent) if policy else ()
        fresh = tuple(each for each in crossed if _record_alert(connection, charge, each))
        decision = ChargeDecision(charge, policy, after, fresh)
        entry = _audit_entry(charge, action or f"purchase.{charge.state}")
        self._audit_writer.append_entries(connection, (entry,))
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


def _audit_entry(charge: Charge, action: str) -> AuditEntry:
    """Build the audit log entry of a charge: who, which, what became of it; never how much."""
    outcome = charge.reason or "ok"
    return AuditEntry(
        charge.operator, charge.subscription, action, charge.changed_at, "merchant", charge.id, outcome
    )
