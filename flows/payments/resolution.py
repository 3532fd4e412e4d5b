"""Payment resolution: what staff did by hand, outside the gateway, ends an undecided payment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from flows.domain.actions import OperatorPorts
from flows.domain.payment_records import (
    BY_HAND,
    PaymentChange,
    PaymentIntent,
    PaymentResolution,
    ResolvedState,
)
from flows.domain.records import AuditEntry, OutboundMessage
from flows.payments.checks import REFUND_REFUSED
from flows.payments.payable import payment_ports
from flows.payments.payer_notices import PayerNotices
from flows.payments.tasks import audit_step
from menus.machine.menu import Menu

RESOLVED_ACTIONS: Mapping[ResolvedState, str] = {
    "refunded": "payment.refunded_by_hand",
    "booked": "payment.booked_by_hand",
    "failed": "payment.failed_by_hand",
}
"""Actions of the audit log."""
NO_MONEY_REASONS = frozenset({"unheard", "test"})
"""Reasons of an `unknown` in which no money was seen: a card whose result nobody told, a test payment."""


@dataclass(frozen=True, slots=True)
class PaymentResolver:
    """Records what the staff of one operator did."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def is_recorded(self, intent: PaymentIntent, resolution: PaymentResolution) -> bool:
        """Return whether the same was recorded before and still holds, whoever recorded it."""
        if intent.reason != BY_HAND or intent.state != resolution.state:
            return False
        found = await payment_ports(self.ports).intents.find_resolution(intent.operator, intent.id)
        return found is not None and (found.state, found.amount) == (resolution.state, resolution.amount)

    async def record(
        self, intent: PaymentIntent, resolution: PaymentResolution, *, tells_payer: bool = True
    ) -> bool:
        """Record it with its audit log entry and the payer's message; False when the payment has changed.

        Call `find_obstacle` first. Unavailable while billing does not say what is left to pay.
        """
        items = await self._messages(intent, resolution) if tells_payer else ()
        now = self.ports.now()
        change = PaymentChange(
            intent.id, (intent.state,), resolution.state, now, reason=BY_HAND, resolution=resolution
        )
        entry = _build_entry(audit_step(intent, RESOLVED_ACTIONS[resolution.state], now), resolution)
        return await payment_ports(self.ports).intents.advance(change, items, (entry,))

    async def _messages(
        self, intent: PaymentIntent, resolution: PaymentResolution
    ) -> tuple[OutboundMessage, ...]:
        notices = PayerNotices(self.menu, self.ports)
        if resolution.state == "failed":
            return await notices.build_notices(intent, "failed")
        settled = replace(intent, amount=resolution.amount)
        if resolution.state == "booked":
            return await notices.build_receipt(settled)
        return await notices.build_notices(settled, "refunded")


def find_obstacle(intent: PaymentIntent, resolution: PaymentResolution) -> str:
    """Return why this cannot be recorded of a payment in its state, as staff are told; empty where it can."""
    is_refused = intent.state == "refunding" and intent.reason == REFUND_REFUSED
    if intent.state != "unknown" and not is_refused:
        return f"it is {intent.state}: only what is unknown, or was refused a refund, is ended by hand"
    if is_refused and resolution.state != "refunded":
        return "it was to be given back: only `refunded` can be recorded"
    if resolution.state == "failed" and intent.reason not in NO_MONEY_REASONS:
        return f"money was seen ({intent.reason}): it was given back or booked"
    if (resolution.amount > 0) != (resolution.state != "failed"):
        return "give the amount that was given back or booked, and none for `failed`"
    return ""


def _build_entry(entry: AuditEntry, resolution: PaymentResolution) -> AuditEntry:
    """Name the person who did it, as entries of the console do."""
    return replace(entry, correlation=resolution.staff)
