"""Booking of payments at a BSS over the network: find the key, read the bill, then post."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from flows.domain.account_activity import DirectDebit, LiveAccount
from flows.domain.payment_records import BillPayment, BookingOutcome
from flows.domain.records import Bill, Capability
from storage.billing._client.confirmed_post import confirm_post


class PaymentResource(Protocol):
    """The payments of one kind of BSS."""

    async def find_payment(self, payment: BillPayment) -> bool:
        """Return whether the BSS has a payment under this key."""

    async def post_payment(self, payment: BillPayment) -> None:
        """Post the payment; raises Refused when nothing was booked, Unavailable when that is not known."""


class RemoteBookings:
    """The `PaymentBooking` part of a backend over the network."""

    _payments: PaymentResource
    capabilities: Collection[Capability]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account."""
        raise NotImplementedError

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first."""
        raise NotImplementedError

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate in force."""
        raise NotImplementedError

    async def read_live_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill as the BSS has it now."""
        return await self.get_bill(account, bill_id)

    async def read_live_account(self, account: str, limit: int) -> LiveAccount:
        """Return the newest bills as the BSS lists them now, and the mandate, read beside them."""
        if "debits" not in self.capabilities:
            return LiveAccount(await self.list_bills(account, limit))
        bills, mandate = await asyncio.gather(self.list_bills(account, limit), self.find_debit(account))
        return LiveAccount(bills, mandate)

    async def find_booking(self, payment: BillPayment) -> bool:
        """Return whether the BSS has a payment under this key."""
        return await self._payments.find_payment(payment)

    async def book_payment(self, payment: BillPayment) -> BookingOutcome:
        """Post the payment unless its key is there, or the bill does not ask for so much any more.

        Such interfaces book whatever is posted, so the key is looked for first. BookingUnconfirmed when a post
        got no answer: it may be booked now, a little later, or not at all.
        """
        if await self._payments.find_payment(payment):
            return "already"
        bill = await self.get_bill(payment.account, payment.bill_id)
        if bill.state == "cancelled" or bill.remaining < payment.amount:
            return "excess"
        await confirm_post(self._payments.post_payment(payment), "a payment")
        return "booked"
