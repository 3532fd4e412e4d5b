"""Opening a payment: one intent per bill, for what remains, and the provider's page for it."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from flows.domain.actions import OperatorPorts
from flows.domain.failures import NotEligible
from flows.domain.payment_records import CALL_CARD, WALLET_PUSH, PaymentChange, PaymentIntent
from flows.domain.records import Bill
from flows.payments.checks import WAITING
from flows.payments.payable import payment_ports
from flows.payments.payment_link import LinkedBill
from flows.payments.tasks import CHECK, audit_step, build_task

RECEIPT_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Letters of receipt numbers: without 0, 1, I and O, which look alike."""
RECEIPT_LENGTH = 8


@dataclass(frozen=True, slots=True)
class PaymentOpening:
    """Opens payments of one operator's bills."""

    ports: OperatorPorts = field(repr=False)
    operator: str
    currency: str

    async def start_payment(self, linked: LinkedBill, subscription: str, bill: Bill) -> PaymentIntent:
        """Return the bill's open payment with the provider's page; an earlier one if it is for as much.

        A payment begun with another provider, as a wallet's owner was asked to approve, is returned as it is.

        `bill` must have been read from billing just now. Raises Unavailable while the provider is down.
        """
        ports, now = payment_ports(self.ports), self.ports.now()
        for earlier in await ports.intents.list_bill_intents(self.operator, bill.account, bill.id):
            if earlier.state in WAITING and not ports.has_page(earlier):
                return earlier
            if earlier.state in WAITING and (earlier.amount != bill.remaining or _is_page_over(earlier, now)):
                await self.retire(earlier)
        wanted = self._build_intent(linked, subscription, bill, ports.provider.name)
        task, entry = build_task(CHECK, wanted, now), audit_step(wanted, "payment.opened", now)
        intent = await ports.intents.open_intent(wanted, task, entry)
        is_elsewhere = intent.provider != ports.provider.name
        return intent if intent.page_url or is_elsewhere else await self._open_page(intent)

    async def request_approval(self, linked: LinkedBill, subscription: str, bill: Bill) -> PaymentIntent:
        """Return the bill's open payment from a wallet; the outbox asks the payer to approve it.

        `bill` must have been read from billing just now. A page whose opening failed is retired first.
        """
        ports, now = payment_ports(self.ports), self.ports.now()
        if ports.wallet is None:
            raise NotEligible
        await self._retire_unopened_pages(bill)
        wanted = self._build_intent(linked, subscription, bill, ports.wallet.name)
        task, entry = build_task(WALLET_PUSH, wanted, now), audit_step(wanted, "payment.opened", now)
        return await ports.intents.open_intent(wanted, task, entry)

    async def open_card_payment(
        self, linked: LinkedBill, subscription: str, bill: Bill
    ) -> PaymentIntent | None:
        """Return a new payment by card in the call; None while another payment of the bill is open.

        So a bill is never charged to two cards at once. `bill` must have been read from billing just now. A
        page whose opening failed is retired first.
        """
        ports, now = payment_ports(self.ports), self.ports.now()
        await self._retire_unopened_pages(bill)
        wanted = self._build_intent(linked, subscription, bill, CALL_CARD)
        task, entry = build_task(CHECK, wanted, now), audit_step(wanted, "payment.opened", now)
        opened = await ports.intents.open_intent(wanted, task, entry)
        if opened.id != wanted.id:
            return None
        started = audit_step(wanted, "payment.started", now)
        await ports.intents.advance(PaymentChange(wanted.id, WAITING, "pending", now), entries=(started,))
        return wanted

    async def retire(self, intent: PaymentIntent) -> None:
        """Close the page of a payment that nobody should make any more; money that still comes is not lost."""
        ports = payment_ports(self.ports)
        await ports.provider_of(intent).close(intent)
        await ports.intents.advance(PaymentChange(intent.id, WAITING, "expired", self.ports.now()))

    async def _retire_unopened_pages(self, bill: Bill) -> None:
        """Retire the payments of a bill whose page could not be opened."""
        ports = payment_ports(self.ports)
        for earlier in await ports.intents.list_bill_intents(self.operator, bill.account, bill.id):
            if earlier.state == "confirmed" and ports.has_page(earlier):
                await self.retire(earlier)

    async def _open_page(self, intent: PaymentIntent) -> PaymentIntent:
        ports = payment_ports(self.ports)
        language = intent.language.partition("-")[0]
        return_url = f"{self.ports.links_url}/paid?payment={intent.id}&lang={language}"
        started = await ports.provider.start(intent, return_url)
        change = PaymentChange(
            intent.id,
            WAITING,
            "pending",
            self.ports.now(),
            reference=started.reference,
            page_url=started.page_url,
            page_expires_at=started.expires_at,
        )
        await ports.intents.advance(change, entries=(audit_step(intent, "payment.started", self.ports.now()),))
        return replace(intent, reference=started.reference, page_url=started.page_url)

    def _build_intent(self, linked: LinkedBill, subscription: str, bill: Bill, provider: str) -> PaymentIntent:
        now = self.ports.now()
        return PaymentIntent(
            id=self._new_id(),
            operator=self.operator,
            subscription=subscription,
            account=bill.account,
            bill_id=bill.id,
            bill_number=bill.number,
            issued=bill.issued,
            line=linked.line,
            payer=linked.payer,
            language=linked.language,
            amount=bill.remaining,
            currency=self.currency,
            state="confirmed",
            created_at=now,
            changed_at=now,
            receipt=self._new_receipt(),
            provider=provider,
        )

    def _new_id(self) -> str:
        """Return 32 hexadecimal digits: 126 random bits in a form every provider takes as a key."""
        return f"{int(self.ports.random_digits(38)):032x}"

    def _new_receipt(self) -> str:
        number, letters = int(self.ports.random_digits(14)), ""
        for _ in range(RECEIPT_LENGTH):
            number, place = divmod(number, len(RECEIPT_ALPHABET))
            letters += RECEIPT_ALPHABET[place]
        return letters


def _is_page_over(intent: PaymentIntent, now: datetime) -> bool:
    return intent.page_expires_at is not None and intent.page_expires_at <= now
