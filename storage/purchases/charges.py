"""Charges in SQL: each decided in one transaction that holds the lock of the line's policy."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from weakref import WeakValueDictionary

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.purchase_ports import Followers
from flows.domain.purchase_records import Charge, ChargeDecision, ChargeRequest, ChargeStep, MonthlySpending
from flows.domain.purchase_rules import find_denial, sum_month
from flows.domain.records import Secret
from storage.purchases.charge_writer import SELECT_CHARGE, SELECT_MONTH
from storage.purchases.policies import read_policy
from storage.purchases.refunds import ChargeRefunds
from storage.sql.engine import Database
from storage.sql.tables import purchase_charges

_ROW = purchase_charges.c
INSERT_CHARGE = upsert(purchase_charges).on_conflict_do_nothing()
SELECT_BY_CORRELATOR = select(purchase_charges).where(
    *(_ROW[name] == bindparam(f"its_{name}") for name in ("operator", "merchant", "correlator"))
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


class SqlCharges(ChargeRefunds):
    """Implements the `Charges` port; `secret` encrypts phone numbers and the outbox's payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        super().__init__(database, secret)
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
            charge, policy = self._lock_charge(connection, step.operator, step.charge_id)
            if charge.state not in step.expected:
                return None
            if step.state != "cancelled" and not charge.holds_amount(step.changed_at):
                return None
            spending = self._sum_month(connection, charge, step.changed_at)
            changes = {"state": step.state, "changed_at": step.changed_at, "reason": step.reason}
            connection.execute(update(purchase_charges).where(_ROW.id == charge.id).values(**changes))
            changed = replace(charge, state=step.state, changed_at=step.changed_at, reason=step.reason)
            return self._follow(connection, changed, policy, spending, followers, earlier=charge)

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

    def _find_earlier(self, connection: Connection, charge: Charge) -> Charge:
        names = ("operator", "merchant", "correlator")
        values = {f"its_{name}": getattr(charge, name) for name in names}
        return self._rows.fetch(connection, SELECT_BY_CORRELATOR, values)[0]
