"""Account activity: payments, charges not billed yet, allowances used, services subscribed to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol, cast, get_args, runtime_checkable

from flows.domain.ports import Billing
from flows.domain.records import Bill, BillLine

PaymentMethod = Literal["card", "transfer", "direct_debit", "cash", "cheque", "other"]
PAYMENT_METHODS: tuple[PaymentMethod, ...] = get_args(PaymentMethod)
AllowanceKind = Literal["call", "data", "text"]
ALLOWANCE_KINDS: tuple[AllowanceKind, ...] = get_args(AllowanceKind)


@dataclass(frozen=True, slots=True)
class BookedPayment:
    """A payment that billing has booked."""

    paid_on: date
    amount: Decimal
    method: PaymentMethod = "other"
    bill_id: str = ""
    """The bill it was for; empty when billing does not say."""
    key: str = ""
    """Our intent's id, if it came through us and billing says so."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one line has used of one kind: minutes of calls, megabytes of data or text messages."""

    kind: AllowanceKind
    used: int
    granted: int | None = None
    """All there is in the period; None without a limit, or where billing tells none."""
    renews_on: date | None = None
    is_unlimited: bool = False
    """Whether billing says that there is no limit."""

    @property
    def amount_left(self) -> int | None:
        """What is left, never below 0; None where none is known."""
        return None if self.granted is None else max(self.granted - self.used, 0)


@dataclass(frozen=True, slots=True)
class SubscribedService:
    """A plan or option that a line subscribes to."""

    name: str
    user: str = field(default="", repr=False)
    """Number of the line (E.164); empty when it is the account's."""
    since: date | None = None


@dataclass(frozen=True, slots=True)
class DirectDebit:
    """A direct debit mandate by which billing collects an account's bills."""

    reference: str
    """The mandate's reference (SEPA: RUM), as the payer's bank shows it."""
    account_end: str = field(default="", repr=False)
    """Last digits of the bank account, at most four; empty when billing does not say."""
    collects_on: date | None = None
    """Day of the next collection; None when billing does not say."""


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """What paying a bill depends on, read from billing itself at one time."""

    bills: Sequence[Bill] = field(repr=False)
    """Newest first."""
    mandate: DirectDebit | None = None
    """The mandate in force; None where billing tells of none, and for an account without bills."""


@runtime_checkable
class AccountActivity(Protocol):
    """What billing knows of an account besides its bills. Optional for a backend: a capability for each."""

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments booked, newest first; refused and returned ones are left out. Needs `history`."""

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return all charges that are on no bill yet. Needs `unbilled`."""

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line of the account has used in the current period. Needs `meter`."""

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return what the account's lines subscribe to today. Needs `services`."""

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate in force; None when it pays otherwise. Needs `debits`."""


def account_activity(billing: Billing) -> AccountActivity:
    """Return billing as the port of account activity; ask for its capability first."""
    return cast(AccountActivity, billing)


def is_allowance_kind(kind: str) -> bool:
    """Return whether a word names a kind of allowance."""
    return kind in ALLOWANCE_KINDS


def payment_method(word: str) -> PaymentMethod:
    """Return the method a backend's word names; `other` for one we do not know."""
    folded = word.strip().lower().replace("-", "_").replace(" ", "_")
    known = {"tokenizedcard": "card", "bankcard": "card", "creditcard": "card", "check": "cheque"}
    known |= {"banktransfer": "transfer", "bank_transfer": "transfer", "directdebit": "direct_debit"}
    found = known.get(folded, folded)
    return next((method for method in PAYMENT_METHODS if method == found), "other")
