"""Payable bills: whether an operator takes payments, and which payments of a bill are under way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Down, NotEligible
from flows.domain.payment_ports import PaymentBooking, PaymentIntents, Payments, WalletPayments
from flows.domain.payment_records import CALL_CARD, UNDER_WAY, PaymentIntent
from flows.domain.ports import Billing
from flows.domain.records import Bill

CARD_OBSTACLE = "a card of a call is not given back here; do it in the account of the Pay connector's processor"


@dataclass(frozen=True, slots=True)
class PaymentPorts:
    """The ports that payments need, of an operator that has them all."""

    link: Payments | None = field(repr=False)
    wallet: WalletPayments | None = field(repr=False)
    booking: PaymentBooking = field(repr=False)
    intents: PaymentIntents = field(repr=False)

    @property
    def provider(self) -> Payments:
        """The provider of payments by link; NotEligible where bills are paid from a wallet only."""
        if self.link is None:
            raise NotEligible
        return self.link

    @property
    def providers(self) -> tuple[Payments, ...]:
        """All providers that are set up."""
        return tuple(each for each in (self.link, self.wallet) if each is not None)

    def provider_of(self, intent: PaymentIntent) -> Payments:
        """Return the provider a payment was begun with; Down while it is not among the settings."""
        for each in self.providers:
            if each.name == intent.provider:
                return each
        raise Down("the provider of this payment is not among the settings")

    def refund_obstacle(self, intent: PaymentIntent) -> str:
        """Return why a payment cannot be given back from here, as staff are told; empty where it can."""
        if intent.provider == CALL_CARD:
            return CARD_OBSTACLE
        obstacles = (each.refund_obstacle for each in self.providers if each.name == intent.provider)
        return next(obstacles, "its provider is not among the settings")

    def is_wallet(self, intent: PaymentIntent) -> bool:
        """Return whether a payment is made from the wallet."""
        return self.wallet is not None and intent.provider == self.wallet.name

    def has_page(self, intent: PaymentIntent) -> bool:
        """Return whether a payment is made on a page: not from the wallet, nor by card in a call."""
        return intent.provider != CALL_CARD and not self.is_wallet(intent)


def takes_payments(ports: OperatorPorts) -> bool:
    """Return whether bills can be paid here: a provider is set, and billing books what it takes."""
    has_provider = ports.payments is not None or ports.wallet is not None
    return has_provider and ports.intents is not None and "payments" in ports.billing.capabilities


def payment_ports(ports: OperatorPorts) -> PaymentPorts:
    """Return the ports that payments need; NotEligible where bills cannot be paid."""
    if not takes_payments(ports) or ports.intents is None:
        raise NotEligible
    return PaymentPorts(ports.payments, ports.wallet, cast(PaymentBooking, ports.billing), ports.intents)


async def read_current_bill(billing: Billing, account: str, bill_id: str) -> Bill:
    """Return a bill as billing has it now, past its cache where the backend can."""
    if isinstance(billing, PaymentBooking) and "payments" in billing.capabilities:
        return await billing.read_live_bill(account, bill_id)
    return await billing.get_bill(account, bill_id)


def is_settled(bill: Bill) -> bool:
    """Return whether nothing is left to pay of a bill."""
    return bill.remaining <= 0 or bill.state in ("cancelled", "credit")


def find_under_way(intents: Sequence[PaymentIntent]) -> PaymentIntent | None:
    """Return the newest payment of a bill in which money may be moving."""
    return next((each for each in intents if each.state in UNDER_WAY), None)
