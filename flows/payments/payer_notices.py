"""Payer notices: by SMS to the payer's number or to the subscriber's validated e-mail address."""

from dataclasses import dataclass, field
from decimal import Decimal

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Failure, Refused
from flows.domain.payment_records import PaymentIntent
from flows.domain.records import OutboundMessage
from flows.payments.payable import payment_ports
from flows.payments.payment_messages import PaymentMessages
from flows.services.email_validation import email_of
from menus.machine.menu import Menu


@dataclass(frozen=True, slots=True)
class PayerNotices:
    """Builds what the payers of one operator are told."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def build_notices(self, intent: PaymentIntent, name: str) -> tuple[OutboundMessage, ...]:
        """Return the notice `pay.NAME_notice`: by SMS, or by e-mail where the link went there."""
        messages = PaymentMessages(self.menu, intent, self.ports.now())
        if intent.payer:
            return messages.build_sms(name)
        return messages.build_notice_mail(name, await self._receipt_address(intent))

    async def build_receipt(self, intent: PaymentIntent) -> tuple[OutboundMessage, ...]:
        """Return the receipt by SMS and by e-mail, with what billing says is left to pay."""
        remaining = await self._read_remaining(intent)
        messages = PaymentMessages(self.menu, intent, self.ports.now())
        mail = messages.build_mail(await self._receipt_address(intent), remaining)
        return (*messages.build_sms("receipt", remaining), *mail)

    async def _read_remaining(self, intent: PaymentIntent) -> Decimal:
        """Return what is left to pay; nothing where billing does not show the bill any more."""
        booking = payment_ports(self.ports).booking
        try:
            return (await booking.read_live_bill(intent.account, intent.bill_id)).remaining
        except Refused:
            return Decimal(0)

    async def _receipt_address(self, intent: PaymentIntent) -> str:
        """Return the subscriber's validated address; empty for none, and where the line has a new owner."""
        try:
            subscriber = await self.ports.billing.get_subscriber(intent.line) if intent.line else None
        except Failure:
            return ""
        if subscriber is None or subscriber.id != intent.subscription:
            return ""
        preference = await self.ports.ledger.get_preference(intent.operator, intent.subscription)
        address, is_validated = email_of(preference, subscriber)
        return address if is_validated else ""
