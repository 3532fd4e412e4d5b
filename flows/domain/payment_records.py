"""Payment records: the payment intent with its states, what a provider reports, what billing books."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

PAYMENT_CHECK = "payment.check"
"""Name of the outbox step that asks the provider about a payment, again and again by plan."""
CALL_CARD = "call_card"
"""Provider name of payments by card in a call, which the call's own connection takes."""
WALLET_PUSH = "payment.push"
"""Name of the outbox step that asks a wallet's owner to approve a payment."""

PaymentState = Literal[
    "confirmed",
    "pending",
    "unknown",
    "succeeded",
    "booking",
    "booked",
    "refunding",
    "refunded",
    "failed",
    "expired",
]
"""State of a payment intent.

confirmed  the payer agreed to the amount; the provider has not answered yet
pending    the provider has it, the payer is on its page
unknown    money may have moved, but not as agreed: a person decides
succeeded  the provider has the money
booking    being booked at billing; one of a bill at a time
booked     billing knows it; final
refunding  the money goes back to the payer
refunded   the money went back; final
failed     no money moved
expired    nobody paid in time
"""
UNDER_WAY: tuple[PaymentState, ...] = ("pending", "unknown", "succeeded", "booking", "refunding")
"""States in which money may be moving: the payer must not pay a second time."""
ReportedState = Literal["open", "paid", "failed", "expired"]
RefundState = Literal["open", "made"]
"""`open`: accepted, and the money is on its way back; `made`: it went back."""
FailureReason = Literal["", "funds", "limit", "rejected", "unanswered", "no_wallet"]
"""Why a wallet did not pay: too little money, a limit of the wallet, the payer's no, no answer, no wallet."""
ResolvedState = Literal["refunded", "booked", "failed"]
"""How a person ended a payment by hand: gave the money back, booked it at billing, or found that none moved."""
BY_HAND = "by_hand"
"""Reason of a payment that a person ended."""
BookingOutcome = Literal["booked", "already", "excess"]
"""`already`: booked before under the same key; `excess`: the bill does not ask for this much any more."""


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """One attempt to pay one bill. Amounts are in the operator's currency, tax included."""

    id: str
    """32 hexadecimal digits, not guessable; the idempotency key at the provider and at billing."""
    operator: str
    subscription: str
    account: str = field(repr=False)
    bill_id: str
    bill_number: str
    issued: date
    """Issue date of the bill, by whose month subscribers know it."""
    line: str = field(repr=False)
    """Number (E.164) the bill was asked for by."""
    payer: str = field(repr=False)
    """Number (E.164) that gets the link and the receipt."""
    language: str
    amount: Decimal
    """What billing said remained when the payer agreed."""
    currency: str
    state: PaymentState
    created_at: datetime
    changed_at: datetime
    receipt: str
    """Number on the receipt, 8 letters and digits."""
    provider: str
    reference: str = ""
    """The provider's own id; empty until it has answered."""
    page_url: str = field(default="", repr=False)
    """The provider's page, to which the payer is sent."""
    page_expires_at: datetime | None = None
    reason: str = ""
    """Why it is unknown or failed, as a short code."""


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """The provider's id of a payment, and its page."""

    reference: str
    page_url: str = field(default="", repr=False)
    """Empty for a wallet, which has no page."""
    expires_at: datetime | None = None
    """When the page closes (UTC); None without a page."""


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """What the provider says of one payment, read from the provider itself."""

    state: ReportedState
    intent_id: str
    """Our id, as the provider returns it."""
    reference: str
    amount: Decimal
    currency: str
    is_test: bool = False
    failure: FailureReason = ""
    """Why it failed, where the provider says."""


@dataclass(frozen=True, slots=True)
class CardResult:
    """How a payment by card in a call ended, as the connection that took the card says."""

    payment: str
    """Our id of the payment."""
    is_paid: bool
    amount: Decimal
    """What the connection was told to take; our own signed address repeats it."""
    currency: str
    reference: str = ""
    """The confirmation code of the connection's payment processor."""


@dataclass(frozen=True, slots=True)
class PaymentHint:
    """A provider's callback whose signature was verified: which payment to ask about, no more."""

    event_id: str
    """Id of the event, the same when it is sent again."""
    intent_id: str
    reference: str = ""
    """The provider's id of the payment; empty where its callbacks name only ours."""
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class BillPayment:
    """A payment to book at billing."""

    key: str
    """Our intent's id: billing books a key once."""
    account: str = field(repr=False)
    bill_id: str
    amount: Decimal
    currency: str
    received_at: datetime
    reference: str = ""
    """The provider's id of the payment."""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class PaymentResolution:
    """What a person did by hand, outside the gateway, about a payment.

    Money that comes after `failed` was recorded moves the payment on; a later record then replaces this one.
    """

    state: ResolvedState
    amount: Decimal
    """What was given back or booked, in the payment's currency; zero where no money moved."""
    staff: str
    """Who did it, as the operator names its staff: 1 to 64 characters."""
    note: str = field(repr=False)
    """Why, and under which number at the provider or at billing: 1 to 255 characters."""


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """Step of an intent from one of the states `expected` to `state`; other fields replace the stored ones."""

    intent_id: str
    expected: tuple[PaymentState, ...]
    state: PaymentState
    changed_at: datetime
    reference: str = ""
    page_url: str = field(default="", repr=False)
    page_expires_at: datetime | None = None
    reason: str = ""
    resolution: PaymentResolution | None = None
    """What a person did by hand, where that is the step."""
