"""Payment ports: the payment provider, billing that books payments, and the store of intents."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from flows.domain.account_activity import LiveAccount
from flows.domain.payment_records import (
    BillPayment,
    BookingOutcome,
    PaymentChange,
    PaymentHint,
    PaymentIntent,
    PaymentReport,
    PaymentResolution,
    PaymentState,
    RefundState,
    StartedPayment,
)
from flows.domain.records import AuditEntry, Bill, DeferredStep, OutboundMessage


class Payments(Protocol):
    """Payment provider of one operator; raises subclasses of `Refused` and `Unavailable` only.

    Every method may be called again after an unknown outcome: the intent's id is the idempotency key.
    """

    @property
    def name(self) -> str:
        """Name of the provider, as the settings write it."""

    @property
    def page_origin(self) -> str:
        """Origin (scheme and host) of the provider's pages, to which payers are sent."""

    @property
    def refund_obstacle(self) -> str:
        """Why nothing is given back by the provider's interface, as staff are told; empty where it is."""

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Open the provider's page for an intent; the same intent twice gets the same page."""

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Return what the provider knows of a payment; NotFound when it knows none."""

    async def close(self, intent: PaymentIntent) -> None:
        """Close the provider's page, so that nobody pays any more. Best effort."""

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Give an amount back by the means it came, once per key; return how far that is.

        While it is `open` it is called again with the same key. Raises when it is refused, or has failed.
        """

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Verify a callback's signature and time; BadRequest 401 when forged or old, 400 when unreadable."""

    def list_day(self, day: date) -> AsyncIterator[PaymentReport]:
        """Yield the payments of one day (UTC), for the nightly comparison."""

    async def close_connections(self) -> None:
        """Close the connections."""


class WalletPayments(Payments, Protocol):
    """Wallet provider of one operator: payers approve on their phones, and there is no page.

    `start` sends the request for approval; what it answers has no page URL.
    """

    async def reserve(self, intent: PaymentIntent) -> str:
        """Return the provider's id of a payment before it is asked for; no money moves and no phone rings."""


@runtime_checkable
class PaymentBooking(Protocol):
    """Billing that books payments. Optional for a backend; its capability is `payments`."""

    async def read_live_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill from billing itself, never from a cache; raises what `Billing.get_bill` raises."""

    async def read_live_account(self, account: str, limit: int) -> LiveAccount:
        """Return up to `limit` bills, newest first, and the mandate, never from a cache.

        Needs the capability `live_list`: the list of bills names each amount as it is now.
        """

    async def book_payment(self, payment: BillPayment) -> BookingOutcome:
        """Book a payment on its bill, once per key.

        After an unknown outcome it may be called again: what was booked under the key is found first.
        """

    async def find_booking(self, payment: BillPayment) -> bool:
        """Return whether billing has a payment under this key."""


class PaymentIntents(Protocol):
    """Store of payment intents; nothing is deleted, and states change by compare-and-set."""

    async def find_intent(self, operator: str, intent_id: str) -> PaymentIntent | None:
        """Return an intent of this operator; None when there is none."""

    async def find_resolution(self, operator: str, intent_id: str) -> PaymentResolution | None:
        """Return what a person recorded about a payment of this operator; None for nothing."""

    async def list_bill_intents(self, operator: str, account: str, bill_id: str) -> Sequence[PaymentIntent]:
        """Return all intents of a bill, newest first."""

    async def list_payments_under_way(self, operator: str, account: str) -> Sequence[PaymentIntent]:
        """Return an account's intents in the states `UNDER_WAY`, newest first."""

    async def list_account_intents(
        self, operator: str, account: str, states: Collection[PaymentState], limit: int
    ) -> Sequence[PaymentIntent]:
        """Return an account's intents in these states, newest first."""

    async def list_intents(
        self, operator: str, states: Collection[PaymentState], since: datetime, limit: int
    ) -> Sequence[PaymentIntent]:
        """Return intents created since then, newest first; an empty `states` means all."""

    async def open_intent(self, intent: PaymentIntent, step: DeferredStep, entry: AuditEntry) -> PaymentIntent:
        """Store a confirmed intent and enqueue the step that follows it; return the bill's open intent.

        A bill has one open intent (`confirmed`, `pending`): of parallel callers all get the first one's.
        """

    async def advance(
        self,
        change: PaymentChange,
        items: Sequence[OutboundMessage | DeferredStep] = (),
        entries: Sequence[AuditEntry] = (),
    ) -> bool:
        """Make a step and enqueue `items`, in one transaction; False when the intent is in another state.

        The change's resolution is stored in the same transaction.
        Into `booking` only one intent of a bill goes at a time, False for the others.
        """

    async def record_callback(
        self, hint: PaymentHint, provider: str, step: DeferredStep, now: datetime
    ) -> bool:
        """Store an event and enqueue `step` once per event; False when it was stored before."""
