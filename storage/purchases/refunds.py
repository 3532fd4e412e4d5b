"""Refunds of charges in SQL: each once per correlator, never more than is left of the charge."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.purchase_ports import RefundFollowers
from flows.domain.purchase_records import Charge, Refund, RefundDecision
from flows.domain.purchase_rules import find_refund_refusal
from storage.purchases.charge_writer import ChargeWriter
from storage.sql.purchase_schema import purchase_charges, purchase_refunds

_ROW = purchase_refunds.c
_COLUMNS = tuple(each.name for each in fields(Refund))
"""The columns are named as the refund's fields."""
INSERT_REFUND = upsert(purchase_refunds).on_conflict_do_nothing()
SELECT_REFUND = select(purchase_refunds).where(_ROW.operator == bindparam("of"), _ROW.id == bindparam("refund"))
SELECT_BY_CORRELATOR = select(purchase_refunds).where(
    *(_ROW[name] == bindparam(f"its_{name}") for name in ("operator", "merchant", "correlator"))
)
SELECT_OF_CHARGE = (
    select(purchase_refunds)
    .where(_ROW.operator == bindparam("of"), _ROW.charge_id == bindparam("charge"))
    .order_by(_ROW.created_at.desc(), _ROW.id)
)
SET_REFUNDED = (
    update(purchase_charges)
    .where(purchase_charges.c.id == bindparam("charge"))
    .values(refunded=bindparam("sum_refunded"))
)
MARK_REFUND_BILLED = (
    update(purchase_refunds)
    .where(_ROW.operator == bindparam("of"), _ROW.id == bindparam("refund"))
    .values(is_billed=True)
)


class ChargeRefunds(ChargeWriter):
    """The refunds of the `Charges` port."""

    async def refund_charge(self, wanted: Refund, followers: RefundFollowers) -> RefundDecision:
        """Give back part or all of a charge, once per correlator, or say what is against it."""

        def job(connection: Connection) -> RefundDecision:
            charge, policy = self._lock_charge(connection, wanted.operator, wanted.charge_id)
            earlier = _find_earlier(connection, wanted)
            if earlier:
                return RefundDecision(earlier, is_new=False)
            refund = _fill_amount(wanted, charge)
            refusal = find_refund_refusal(charge, refund.amount)
            if refusal:
                return RefundDecision(refund, refusal)
            if not connection.execute(INSERT_REFUND, _row_of(refund)).rowcount:
                return RefundDecision(_find_earlier(connection, wanted) or refund, is_new=False)
            before = self._sum_month(connection, charge, refund.created_at)
            given_back = charge.refunded + refund.amount
            connection.execute(SET_REFUNDED, {"charge": charge.id, "sum_refunded": given_back})
            after = replace(charge, refunded=given_back, changed_at=refund.created_at)
            self._follow(
                *(connection, after, policy, before),
                lambda decision: followers(decision, refund),
                earlier=charge,
                action="purchase.refunded",
            )
            return RefundDecision(refund)

        return await self._write(job)

    async def find_refund(self, operator: str, refund_id: str) -> Refund | None:
        """Return a refund of this operator; None when there is none."""
        return next(iter(await self._fetch_refunds(SELECT_REFUND, {"of": operator, "refund": refund_id})), None)

    async def list_refunds(self, operator: str, charge_id: str) -> Sequence[Refund]:
        """Return the refunds of a charge, newest first."""
        return await self._fetch_refunds(SELECT_OF_CHARGE, {"of": operator, "charge": charge_id})

    async def mark_refund_billed(self, operator: str, refund_id: str) -> None:
        """Note that billing has the refund."""
        values = {"of": operator, "refund": refund_id}
        await self._database.write(lambda connection: connection.execute(MARK_REFUND_BILLED, values).rowcount)

    async def _fetch_refunds(self, query: Select[Any], values: Mapping[str, Any]) -> list[Refund]:
        return await self._database.read(lambda connection: _read_refunds(connection, query, values))


def _fill_amount(wanted: Refund, charge: Charge) -> Refund:
    """Return the refund with its amount: a total one gives back all that is left."""
    return replace(wanted, amount=charge.amount - charge.refunded) if wanted.type == "total" else wanted


def _find_earlier(connection: Connection, wanted: Refund) -> Refund | None:
    names = ("operator", "merchant", "correlator")
    values = {f"its_{name}": getattr(wanted, name) for name in names}
    return next(iter(_read_refunds(connection, SELECT_BY_CORRELATOR, values)), None)


def _read_refunds(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Refund]:
    rows = connection.execute(query, values)
    return [Refund(**{name: getattr(row, name) for name in _COLUMNS}) for row in rows]


def _row_of(refund: Refund) -> dict[str, Any]:
    return {name: getattr(refund, name) for name in _COLUMNS}
