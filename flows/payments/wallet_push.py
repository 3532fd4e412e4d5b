"""Wallet request: ask a payer to approve a payment on the phone, at most once; silence is no failure."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Down, NotFound, PaymentOpen, Refused, Unavailable
from flows.domain.payment_ports import WalletPayments
from flows.domain.payment_records import PaymentChange, PaymentIntent, PaymentState
from flows.domain.records import DeferredStep, OutboundMessage
from flows.payments.checks import WAITING
from flows.payments.payable import PaymentPorts, payment_ports
from flows.payments.payment_messages import PaymentMessages
from flows.payments.tasks import CHECK, audit_step, build_task
from menus.machine.menu import Menu

FIRST_WAIT = timedelta(seconds=3)
"""Wait before the request, so that the phone's own session has ended: phones show one at a time."""
PUSH_WINDOW = timedelta(minutes=10)
"""How long a request that does not get through is tried again; later it would surprise the payer."""
RETRY_SECONDS = 15.0
APPROVAL_WINDOW = timedelta(hours=24)
"""How long the wallet's final answer is waited for before people are told."""


@dataclass(frozen=True, slots=True)
class WalletPush:
    """Runs the task that sends a request for approval; it may be repeated and cut off anywhere.

    The provider's id is stored before the request is sent. So after an answer that was lost the provider is
    asked about it, and the request is sent again only where the provider does not know it.
    """

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def run_task(self, task: DeferredStep) -> None:
        """Run the task from the outbox; PaymentOpen when it must run again."""
        intent = await self._ports.intents.find_intent(task.operator, task.session.decode())
        if intent is None or intent.state not in WAITING:
            return
        if self.ports.now() - intent.created_at < FIRST_WAIT:
            raise PaymentOpen(after_seconds=FIRST_WAIT.total_seconds())
        try:
            await self._request_approval(intent)
        except (Unavailable, Refused) as failure:
            raise PaymentOpen(after_seconds=RETRY_SECONDS) from failure

    @property
    def _ports(self) -> PaymentPorts:
        return payment_ports(self.ports)

    async def _request_approval(self, intent: PaymentIntent) -> None:
        if intent.reference and await self._is_requested(intent):
            return
        if self.ports.now() - intent.created_at >= PUSH_WINDOW:
            await self._advance(intent, "failed", self._build_sms(intent))
            return
        reserved = intent if intent.reference else await self._reserve(intent)
        try:
            await self._wallet_of(intent).start(reserved, "")
        except Refused:
            if not await self._is_requested(reserved):
                await self._advance(intent, "failed", self._build_sms(intent))

    async def _reserve(self, intent: PaymentIntent) -> PaymentIntent:
        """Store the provider's id, and have the payment followed from now on."""
        reference = await self._wallet_of(intent).reserve(intent)
        check = build_task(CHECK, intent, self.ports.now())
        await self._advance(intent, "pending", (check,), reference=reference)
        return replace(intent, reference=reference, state="pending")

    async def _is_requested(self, intent: PaymentIntent) -> bool:
        """Return whether the provider knows the request."""
        try:
            await self._wallet_of(intent).ask(intent)
        except NotFound:
            return False
        return True

    def _wallet_of(self, intent: PaymentIntent) -> WalletPayments:
        """Return the wallet a payment was begun with; Down when it is not set up any more."""
        wallet = self._ports.wallet
        if wallet is None or wallet.name != intent.provider:
            raise Down("the wallet of this payment is not among the settings")
        return wallet

    def _build_sms(self, intent: PaymentIntent) -> tuple[OutboundMessage, ...]:
        return PaymentMessages(self.menu, intent, self.ports.now()).build_sms("failed")

    async def _advance(
        self,
        intent: PaymentIntent,
        state: PaymentState,
        items: tuple[OutboundMessage | DeferredStep, ...],
        *,
        reference: str = "",
    ) -> None:
        now = self.ports.now()
        ends_at = now + APPROVAL_WINDOW if reference else None
        change = PaymentChange(intent.id, WAITING, state, now, reference=reference, page_expires_at=ends_at)
        await self._ports.intents.advance(change, items, (audit_step(intent, f"payment.{state}", now),))
