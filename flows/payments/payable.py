"""Payable bills: whether an operator takes payments, and which payments of a bill are under way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from flows.domain.actions import OperatorPorts
from flows.domain.failures import NotEligible
from flows.domain.payment_ports import PaymentBooking, PaymentIntents, Payments
from flows.domain.payment_records import PaymentIntent, PaymentState

UNDER_WAY: frozenset[PaymentState] = frozenset({"pending", "unknown", "succeeded", "booking", "refunding"})
"""States in which money may be moving: the payer must not pay a second time."""


@dataclass(frozen=True, slots=True)
class PaymentPorts:
    """The ports that payments need, of an operator that has them all."""

    provider: Payments = field(repr=False)
    booking: PaymentBooking = field(repr=False)
    intents: PaymentIntents = field(repr=False)


def takes_payments(ports: OperatorPorts) -> bool:
    """Return whether bills can be paid here: a provider is set, and billing books what it takes."""
    return ports.payments is not None and ports.intents is not None and "payments" in ports.billing.capabilities


def payment_ports(ports: OperatorPorts) -> PaymentPorts:
    """Return the ports that payments need; NotEligible where bills cannot be paid."""
    if not takes_payments(ports) or ports.payments is None or ports.intents is None:
        raise NotEligible
    return PaymentPorts(ports.payments, cast(PaymentBooking, ports.billing), ports.intents)


def find_under_way(intents: Sequence[PaymentIntent]) -> PaymentIntent | None:
    """Return the newest payment of a bill in which money may be moving."""
    return next((each for each in intents if each.state in UNDER_WAY), None)
