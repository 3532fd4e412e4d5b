"""Bookings through the cache: payments, promises and charges; each drops the cached answers."""

from flows.domain.account_activity import LiveAccount
from flows.domain.failures import NotEligible
from flows.domain.payment_ports import PaymentBooking
from flows.domain.payment_records import BillPayment, BookingOutcome
from flows.domain.promise_records import PaymentPromise, PromiseAnswer, PromiseBilling
from flows.domain.purchase_ports import ChargeBilling
from flows.domain.purchase_records import BillCharge
from flows.domain.records import Bill
from storage.billing.backend import RemoteBilling


class CachedBookings:
    """The `PaymentBooking`, `PromiseBilling` and `ChargeBilling` parts of the cache."""

    backend: RemoteBilling

    def invalidate_account(self, account: str) -> None:
        """Drop the cached answers of an account."""
        raise NotImplementedError

    async def read_live_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill from the backend itself; what was cached of its account is dropped."""
        bill = await self._bookings.read_live_bill(account, bill_id)
        self.invalidate_account(account)
        return bill

    async def read_live_account(self, account: str, limit: int) -> LiveAccount:
        """Return bills and mandate from the backend itself; what was cached of the account is dropped."""
        live = await self._bookings.read_live_account(account, limit)
        self.invalidate_account(account)
        return live

    async def book_payment(self, payment: BillPayment) -> BookingOutcome:
        """Book a payment, then drop the account's cached answers, also after a failure."""
        try:
            return await self._bookings.book_payment(payment)
        finally:
            self.invalidate_account(payment.account)

    async def find_booking(self, payment: BillPayment) -> bool:
        """Return whether the backend has a payment under this key."""
        return await self._bookings.find_booking(payment)

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """Record a promise at the backend; NotEligible where it takes none."""
        return await self._promises.record_promise(promise)

    async def has_promise(self, promise: PaymentPromise) -> bool:
        """Return whether the backend still has a promise, past the cache; NotEligible where it takes none."""
        return await self._promises.has_promise(promise)

    @property
    def _promises(self) -> PromiseBilling:
        if not isinstance(self.backend, PromiseBilling):
            raise NotEligible("this backend takes no promises")
        return self.backend

    async def add_charge(self, charge: BillCharge) -> bool:
        """Put a charge on the next bill, then drop the account's cached answers, also after a failure."""
        if not isinstance(self.backend, ChargeBilling):
            raise NotEligible("this backend takes no charges")
        try:
            return await self.backend.add_charge(charge)
        finally:
            self.invalidate_account(charge.account)

    @property
    def _bookings(self) -> PaymentBooking:
        """The backend, if it books payments; NotEligible otherwise."""
        if not isinstance(self.backend, PaymentBooking):
            raise NotEligible("this backend books no payments")
        return self.backend
