"""Refunds: a merchant, or the operator's own system, gives back part or all of a charge."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from flows.domain.actions import OperatorPorts
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.purchase_records import (
    Charge,
    ChargeDecision,
    NotificationSink,
    Refund,
    RefundDecision,
    RefundType,
)
from flows.domain.records import DeferredStep, OutboundMessage
from flows.purchases.charge_messages import ChargeMessages, build_messages
from flows.purchases.charge_tasks import build_refund_task
from flows.purchases.notifications import build_refund_notification
from flows.purchases.spending import find_charge_owner, purchase_ports
from menus.machine.menu import Menu


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What a merchant asks to be given back."""

    type: RefundType
    amount: Decimal
    """Of a partial refund, tax included; a total one gives back what is left."""
    reference: str
    correlator: str
    sink: NotificationSink | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PurchaseRefunds:
    """Refunds of one operator's charges: the cap has room again, and the next bill has a credit."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)

    async def refund_charge(self, charge: Charge, order: RefundOrder) -> RefundDecision:
        """Give back part or all of a charge, once per correlator: the line is told, billing gets a credit."""
        return await self._refund(charge, order, is_made_elsewhere=False)

    async def take_back(self, charge: Charge) -> RefundDecision:
        """Note that the operator's own system has given a purchase back whole; billing knows it already."""
        order = RefundOrder("total", Decimal(0), charge.reference, f"cancelled {charge.id}")
        return await self._refund(charge, order, is_made_elsewhere=True)

    async def _refund(self, charge: Charge, order: RefundOrder, *, is_made_elsewhere: bool) -> RefundDecision:
        owner = await find_charge_owner(self.ports, charge)
        messages = await build_messages(self.menu, self.ports, self.pseudonyms, owner) if owner else None

        def followers(decision: ChargeDecision, refund: Refund) -> Sequence[OutboundMessage | DeferredStep]:
            notices, sink = _notices(messages, decision, refund), order.sink
            if is_made_elsewhere:
                return notices
            told = (build_refund_notification(decision.charge, refund, sink),) if sink else ()
            return (*notices, build_refund_task(decision.charge, refund), *told)

        wanted = replace(self._build_refund(charge, order), is_billed=is_made_elsewhere)
        return await purchase_ports(self.ports).charges.refund_charge(wanted, followers)

    def _build_refund(self, charge: Charge, order: RefundOrder) -> Refund:
        return Refund(
            id=f"{int(self.ports.random_digits(38)):032x}",
            operator=charge.operator,
            charge_id=charge.id,
            merchant=charge.merchant,
            correlator=order.correlator,
            reference=order.reference,
            type=order.type,
            amount=order.amount,
            created_at=self.ports.now(),
        )


def _notices(
    messages: ChargeMessages | None, decision: ChargeDecision, refund: Refund
) -> tuple[OutboundMessage, ...]:
    """Return the SMS about a refund; none to a number that is not the buyer's any more."""
    return (messages.build_refund_notice(decision, refund),) if messages else ()
