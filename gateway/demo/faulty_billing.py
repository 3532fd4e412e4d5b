"""Fault-injecting billing backend: up, slow or down, for the demo and the tests."""

from collections.abc import Awaitable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from flows.domain.account_activity import (
    Allowance,
    BookedPayment,
    DirectDebit,
    LiveAccount,
    SubscribedService,
    account_activity,
)
from flows.domain.actions import OperatorPorts
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import Down, Failure, NotEligible, Slow
from flows.domain.payment_ports import PaymentBooking
from flows.domain.payment_records import BillPayment, BookingOutcome
from flows.domain.ports import Billing
from flows.domain.promise_records import PaymentPromise, PromiseAnswer, PromiseBilling
from flows.domain.purchase_ports import ChargeBilling
from flows.domain.purchase_records import BillCharge
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)

T = TypeVar("T")


@dataclass(slots=True)
class FaultyBilling:
    """A billing backend whose state `up`, `slow` or `down` can be switched."""

    inner: Billing = field(repr=False)
    state: str = "up"

    def set_state(self, state: str) -> None:
        """Set the state to `up`, `slow` or `down`."""
        self.state = state

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number."""
        return await self._with_fault(self.inner.get_subscriber(msisdn))

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number, past any cache."""
        return await self._with_fault(self.inner.recheck_subscriber(msisdn))

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills."""
        return await self._with_fault(self.inner.list_bills(account, limit, offset))

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill."""
        return await self._with_fault(self.inner.get_bill(account, bill_id))

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the lines of a bill."""
        return await self._with_fault(self.inner.list_bill_lines(account, bill_id))

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills are delivered to the account."""
        return await self._with_fault(self.inner.get_media(account))

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Request paper or e-mail bills."""
        return await self._with_fault(self.inner.set_media(account, destination))

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Request paper bills to an address."""
        return await self._with_fault(self.inner.set_postal_address(account, address))

    @property
    def capabilities(self) -> Collection[Capability]:
        """Return the optional capabilities of the backend."""
        return self.inner.capabilities

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases."""
        return await self._with_fault(self.inner.list_entries(account, what, limit))

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments booked, newest first."""
        return await self._with_fault(account_activity(self.inner).list_payments(account, limit))

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return the charges that are on no bill yet."""
        return await self._with_fault(account_activity(self.inner).list_unbilled_lines(account))

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used in the current period."""
        return await self._with_fault(account_activity(self.inner).list_allowances(account, msisdn))

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return what the account's lines subscribe to."""
        return await self._with_fault(account_activity(self.inner).list_services(account))

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate in force."""
        return await self._with_fault(account_activity(self.inner).find_debit(account))

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the issuer's bill document."""
        return await self._with_fault(self.inner.get_document(account, bill_id))

    async def read_live_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill from the backend itself."""
        return await self._with_fault(self._bookings.read_live_bill(account, bill_id))

    async def read_live_account(self, account: str, limit: int) -> LiveAccount:
        """Return bills and mandate from the backend itself."""
        return await self._with_fault(self._bookings.read_live_account(account, limit))

    async def book_payment(self, payment: BillPayment) -> BookingOutcome:
        """Book a payment."""
        return await self._with_fault(self._bookings.book_payment(payment))

    async def find_booking(self, payment: BillPayment) -> bool:
        """Return whether the backend has a payment under this key."""
        return await self._with_fault(self._bookings.find_booking(payment))

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """Record a promise to pay."""
        return await self._with_fault(self._promises.record_promise(promise))

    async def has_promise(self, promise: PaymentPromise) -> bool:
        """Return whether the backend still has a promise."""
        return await self._with_fault(self._promises.has_promise(promise))

    async def add_charge(self, charge: BillCharge) -> bool:
        """Put a charge on the next bill."""
        if not isinstance(self.inner, ChargeBilling):
            raise NotEligible("this backend takes no charges")
        return await self._with_fault(self.inner.add_charge(charge))

    @property
    def _promises(self) -> PromiseBilling:
        if not isinstance(self.inner, PromiseBilling):
            raise NotEligible("this backend takes no promises")
        return self.inner

    @property
    def _bookings(self) -> PaymentBooking:
        if not isinstance(self.inner, PaymentBooking):
            raise NotEligible("this backend books no payments")
        return self.inner

    async def _with_fault(self, call: Awaitable[T]) -> T:
        """Await the backend, then raise Slow (its own timeout) or Down (no answer) if so set."""
        if self.state == "up":
            return await call
        with suppress(Failure):
            await call
        raise Slow if self.state == "slow" else Down


def inject_faults(ports: OperatorPorts) -> FaultyBilling:
    """Put a fault-injecting backend in front of an operator's billing and return it."""
    faulty_billing = FaultyBilling(ports.billing)
    ports.billing = faulty_billing
    return faulty_billing
