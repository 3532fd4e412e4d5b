"""Hand-over of charges to billing: each once, and what was refunded afterwards (B19)."""

import logging
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Refused
from flows.domain.purchase_ports import ChargeBilling
from flows.domain.purchase_records import BillCharge, Charge
from flows.domain.records import DeferredStep
from flows.purchases.spending import purchase_ports
from menus.machine.menu import Menu

log = logging.getLogger("dialtree.purchases")


@dataclass(frozen=True, slots=True)
class ChargeHandOver:
    """Puts charges on the next bill; every step may be repeated and may be cut off anywhere."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def run_task(self, task: DeferredStep) -> None:
        """Hand one charge over, and the refund the task names; a failure says whether it must run again.

        Where billing takes no charges they stay open. One that billing refuses is an alert: it is not billed.
        """
        charge_id, *refund_ids = task.session.decode().split()
        try:
            await self._hand_over_charge(task.operator, charge_id)
            for refund_id in refund_ids:
                await self._hand_over_refund(task.operator, charge_id, refund_id)
        except Refused as refusal:
            extra = {"operator": task.operator, "payment": charge_id[:12], "reason": str(refusal)}
            log.error("purchases.hand_over_refused", extra=extra)
            raise

    async def _hand_over_charge(self, operator: str, charge_id: str) -> None:
        charges, billing = purchase_ports(self.ports).charges, _charge_billing(self.ports)
        charge = await charges.find_charge(operator, charge_id)
        if billing is None or charge is None or charge.state != "succeeded" or charge.is_billed:
            return
        await billing.add_charge(self._bill_charge(charge))
        await charges.mark_billed(operator, charge_id)

    async def _hand_over_refund(self, operator: str, charge_id: str, refund_id: str) -> None:
        charges, billing = purchase_ports(self.ports).charges, _charge_billing(self.ports)
        charge = await charges.find_charge(operator, charge_id)
        refund = await charges.find_refund(operator, refund_id)
        if billing is None or charge is None or refund is None or refund.is_billed:
            return
        day = self._local_day(refund.created_at)
        credit = replace(self._bill_charge(charge), key=refund.id, amount=-refund.amount, charged_on=day)
        await billing.add_charge(credit)
        await charges.mark_refund_billed(operator, refund_id)

    def _bill_charge(self, charge: Charge) -> BillCharge:
        return BillCharge(
            key=charge.id,
            account=charge.account,
            category=charge.category,
            label=charge.label,
            amount=charge.amount,
            charged_on=self._local_day(charge.created_at),
        )

    def _local_day(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.menu.config.time_zone)).date()


def _charge_billing(ports: OperatorPorts) -> ChargeBilling | None:
    """Return billing, if it takes charges over."""
    billing = ports.billing
    return billing if isinstance(billing, ChargeBilling) and "charges" in billing.capabilities else None
