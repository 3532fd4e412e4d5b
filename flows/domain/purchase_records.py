"""Purchase records: a line's spending policy, charges of merchants to its bill, their decision."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, get_args

PurchaseCategory = Literal["content", "transport", "parking", "donations", "streaming", "other"]
PURCHASE_CATEGORIES: tuple[PurchaseCategory, ...] = get_args(PurchaseCategory)
ChargeState = Literal["pending_validation", "reserved", "succeeded", "cancelled", "denied"]
"""State of a charge, named as CAMARA carrier billing 0.5 names it.

pending_validation  the subscriber must give the code sent by SMS; the amount is held
reserved            the amount is held until the merchant confirms; it lapses after some minutes
succeeded           it goes on the next bill
cancelled           nothing is charged: given up by the merchant, or not confirmed in time
denied              the line's policy, the operator's rules or the law refused it
"""
HELD_STATES: tuple[ChargeState, ...] = ("pending_validation", "reserved")
"""States in which an amount counts towards the cap until the reservation lapses."""
DenialReason = Literal[
    "unconfigured", "blocked", "category", "merchant", "amount", "cap", "sim", "ineligible", "code"
]
"""Why a charge is refused.

unconfigured  the line has never chosen its limits (B13)
blocked       the subscriber has switched purchases off
category      the subscriber has blocked this category (B14)
merchant      the subscriber has blocked this merchant
amount        more than one purchase may cost, by the operator's rules or by law
cap           the monthly cap would be passed (B15)
sim           the SIM or the number was changed a short time ago
ineligible    this kind of line makes no purchases
code          so much needs a code of the subscriber: to be prepared in two steps
"""

RefundType = Literal["total", "partial"]
"""A total refund gives back all that is left of a charge, a partial one an amount the merchant names."""
RefundRefusal = Literal["status", "exhausted", "amount"]
"""Why nothing is given back.

status     the charge was not made: it is held, cancelled or denied
exhausted  all of it was given back before
amount     more than is left of it
"""


@dataclass(frozen=True, slots=True)
class SpendPolicy:
    """What a subscriber allows: on or off, blocked categories and merchants, monthly cap, alerts."""

    operator: str
    subscription: str
    is_enabled: bool
    monthly_cap: Decimal
    """Most that purchases of one month may cost, in the operator's currency."""
    alerts: tuple[Decimal, ...] = ()
    """Sums of a month from which the subscriber is alerted, once each; empty for none."""
    blocked: frozenset[PurchaseCategory] = frozenset()
    blocked_merchants: frozenset[str] = frozenset()

    @property
    def open_categories(self) -> tuple[PurchaseCategory, ...]:
        """The categories that are not blocked."""
        return tuple(each for each in PURCHASE_CATEGORIES if each not in self.blocked)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A change of a policy: None and empty fields leave the stored values; made once per key."""

    key: str
    operator: str
    subscription: str
    changed_at: datetime
    is_enabled: bool | None = None
    monthly_cap: Decimal | None = None
    alerts: tuple[Decimal, ...] | None = None
    block: frozenset[PurchaseCategory] = frozenset()
    unblock: frozenset[PurchaseCategory] = frozenset()
    block_merchant: str = ""
    unblock_merchant: str = ""


@dataclass(frozen=True, slots=True)
class PurchaseLimits:
    """The ceilings of the operator and of the law; they hold whatever a policy says."""

    per_purchase: Decimal
    per_month: Decimal
    code_from: Decimal | None = None
    """Amount from which the subscriber confirms by a code; None for never."""


@dataclass(frozen=True, slots=True)
class MonthlySpending:
    """What a line's purchases of one month come to."""

    spent: Decimal
    """Charged, less what was refunded."""
    held: Decimal
    """Reserved and neither confirmed nor lapsed."""


@dataclass(frozen=True, slots=True)
class NotificationSink:
    """Where a merchant wants to be told what becomes of a payment or a refund."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Bearer token to send along; empty for none."""
    token_expires_at: datetime | None = None
    """When the token ends, and with it the notifications."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One purchase charged to the bill. Amounts are in the operator's currency, tax included."""

    id: str
    """32 hexadecimal digits, not guessable."""
    operator: str
    subscription: str
    account: str = field(repr=False)
    line: str = field(repr=False)
    """Number (E.164) that is charged; empty once it was erased."""
    merchant: str
    """The merchant's name in the settings."""
    correlator: str
    """The merchant's own key of the request: a second request under it charges nothing."""
    reference: str
    """The merchant's reference, for disputes."""
    category: PurchaseCategory
    label: str
    """What was bought, as the merchant calls it."""
    amount: Decimal
    currency: str
    state: ChargeState
    period: str
    """Month it counts in, in the operator's time zone, as YYYY-MM."""
    created_at: datetime
    changed_at: datetime
    reserved_until: datetime | None = None
    reason: str = ""
    """Why it is denied or cancelled, as a short code."""
    refunded: Decimal = Decimal(0)
    is_billed: bool = False
    """Whether billing has it."""
    sink: NotificationSink | None = field(default=None, repr=False)

    def holds_amount(self, now: datetime) -> bool:
        """Return whether the amount is held: a reservation that has not lapsed."""
        return self.state in HELD_STATES and self.reserved_until is not None and now < self.reserved_until


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back of a charge; it goes on the next bill as a credit."""

    id: str
    """32 hexadecimal digits, not guessable."""
    operator: str
    charge_id: str
    merchant: str
    correlator: str
    """The merchant's own key of the request: a second request under it gives nothing back."""
    reference: str
    type: RefundType
    amount: Decimal
    """Tax included; a total refund gives back what is left of the charge, and the store fills it in."""
    created_at: datetime
    is_billed: bool = False
    """Whether billing has it."""


@dataclass(frozen=True, slots=True)
class RefundDecision:
    """What became of a refund."""

    refund: Refund
    refusal: RefundRefusal | None = None
    is_new: bool = True
    """False when the merchant has used this correlator before: `refund` is the earlier one."""


@dataclass(frozen=True, slots=True)
class BillCharge:
    """What billing puts on the next bill, in the rubric of third parties; a credit is negative."""

    key: str
    """Billing takes a key once; the id of the charge or of the refund."""
    account: str = field(repr=False)
    category: PurchaseCategory
    label: str
    amount: Decimal
    charged_on: date
    """Day of the purchase or of the refund, in the operator's time zone."""


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """A charge to decide: as it is stored when it is accepted, and what must be known to decide."""

    charge: Charge
    """Its state is the one it gets when nothing speaks against it."""
    limits: PurchaseLimits
    denial: DenialReason | None = None
    """What is against it before the policy is looked at."""
    is_made: bool = False
    """Whether the operator's own system has made it: it is stored and told, and nothing is decided."""


@dataclass(frozen=True, slots=True)
class ChargeDecision:
    """What became of a charge, the line's policy and month, and the alerts it set off."""

    charge: Charge
    policy: SpendPolicy | None
    spending: MonthlySpending
    crossed: tuple[Decimal, ...] = ()
    """Alert thresholds reached by this charge, for the first time in the month."""
    denial: DenialReason | None = None
    """Why it was denied; None when it was not, and for an earlier charge."""
    is_new: bool = True
    """False when the merchant has used this correlator before: `charge` is the earlier one."""


@dataclass(frozen=True, slots=True)
class ChargeStep:
    """A step of a charge from one of the states `expected` to `state`."""

    operator: str
    charge_id: str
    expected: tuple[ChargeState, ...]
    state: ChargeState
    changed_at: datetime
    reason: str = ""
