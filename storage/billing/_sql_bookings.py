"""Payments booked in our own billing tables: one row per key, written with the bill's new remainder."""

from collections.abc import Callable
from datetime import date

from sqlalchemy import Connection, bindparam, insert, select, update

from flows.domain.failures import NotFound
from flows.domain.payment_records import BillPayment, BookingOutcome
from flows.domain.records import Bill
from storage.billing._client.currency import round_amount
from storage.sql.engine import Database
from storage.sql.tables import billing_bills as bills
from storage.sql.tables import billing_payments as payments

LOCK_BILL = (
    select(bills.c.remaining, bills.c.cancelled)
    .where(
        bills.c.operator == bindparam("operator"),
        bills.c.account == bindparam("account"),
        bills.c.id == bindparam("bill"),
    )
    .with_for_update()
)
SELECT_BOOKING_KEY = select(payments.c.key).where(
    payments.c.operator == bindparam("operator"), payments.c.key == bindparam("key")
)
SET_REMAINDER = (
    update(bills)
    .where(bills.c.operator == bindparam("here"), bills.c.id == bindparam("paid_bill"))
    .values(remaining=bindparam("left"))
)
INSERT_BOOKING = insert(payments)


class SqlBookings:
    """The `PaymentBooking` part of the SQL backend."""

    _database: Database
    _operator: str
    _today: Callable[[], date]
    _currency: str

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account."""
        raise NotImplementedError

    async def read_live_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill; this backend has no cache."""
        return await self.get_bill(account, bill_id)

    async def book_payment(self, payment: BillPayment) -> BookingOutcome:
        """Write the payment and the bill's new remainder in one transaction, once per key."""
        return await self._database.write(lambda connection: self._book(connection, payment))

    async def find_booking(self, payment: BillPayment) -> bool:
        """Return whether this key was booked."""
        values = {"operator": self._operator, "key": payment.key}
        found = await self._database.read(
            lambda connection: connection.execute(SELECT_BOOKING_KEY, values).first()
        )
        return found is not None

    def _book(self, connection: Connection, payment: BillPayment) -> BookingOutcome:
        bill = {"operator": self._operator, "account": payment.account, "bill": payment.bill_id}
        row = connection.execute(LOCK_BILL, bill).first()
        if row is None:
            raise NotFound
        key = {"operator": self._operator, "key": payment.key}
        if connection.execute(SELECT_BOOKING_KEY, key).first() is not None:
            return "already"
        left = round_amount(row.remaining - payment.amount, self._currency)
        if row.cancelled or left < 0:
            return "excess"
        connection.execute(SET_REMAINDER, {"here": self._operator, "paid_bill": payment.bill_id, "left": left})
        connection.execute(INSERT_BOOKING, {**bill, **self._booking_values(payment)})
        return "booked"

    def _booking_values(self, payment: BillPayment) -> dict[str, object]:
        return {
            "key": payment.key,
            "amount": payment.amount,
            "provider": payment.provider,
            "reference": payment.reference,
            "at": payment.received_at,
        }
