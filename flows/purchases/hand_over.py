"""Hand-over of charges to billing: each once, and what was refunded afterwards (B19)."""

from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.purchase_ports import ChargeBilling
from flows.domain.purchase_records import BillCharge, Charge
from flows.domain.records import DeferredStep
from flows.purchases.spending import purchase_ports
from menus.machine.menu import Menu


@dataclass(frozen=True, slots=True)
class ChargeHandOver:
    """Puts charges on the next bill; every step may be repeated and may be cut off anywhere."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def run_task(self, task: DeferredStep) -> None:
        """Hand one charge over; Unavailable when it must run again. Billing that takes none keeps it open."""
        charge_id, *refund = task.session.decode().split()
        charges, billing = purchase_ports(self.ports).charges, self.ports.billing
        charge = await charges.find_charge(task.operator, charge_id)
        if charge is None or charge.state != "succeeded" or "charges" not in billing.capabilities:
            return
        if not isinstance(billing, ChargeBilling):
            return
        if not charge.is_billed:
            await billing.add_charge(self._bill_charge(charge))
            await charges.mark_billed(task.operator, charge_id)
        if refund:
            await billing.add_charge(self._bill_refund(charge, *refund))

    def _bill_charge(self, charge: Charge) -> BillCharge:
        zone = ZoneInfo(self.menu.config.time_zone)
        return BillCharge(
            key=charge.id,
            account=charge.account,
            category=charge.category,
            label=charge.label,
            amount=charge.amount,
            charged_on=charge.created_at.astimezone(zone).date(),
        )

    def _bill_refund(self, charge: Charge, total: str, amount: str) -> BillCharge:
        """Return the credit of one refund; `total`, the sum of refunds with it, tells it from the others."""
        whole = self._bill_charge(charge)
        return BillCharge(
            key=f"{charge.id}/{total}",
            account=whole.account,
            category=whole.category,
            label=whole.label,
            amount=-Decimal(amount),
            charged_on=whole.charged_on,
        )
