"""Account activity through the cache: payments, unbilled charges, allowances and services."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import TypeVar

from flows.domain.account_activity import (
    AccountActivity,
    Allowance,
    BookedPayment,
    DirectDebit,
    SubscribedService,
    account_activity,
)
from flows.domain.records import BillLine
from storage.billing.backend import RemoteBilling

T = TypeVar("T")


class CachedActivity:
    """The `AccountActivity` part of the cache, never shown stale: it changes with every call."""

    backend: RemoteBilling

    async def _read_through(
        self, owner: str, question: str, fetch: Callable[[], Awaitable[T]], *, allow_stale: bool
    ) -> tuple[T, date | None]:
        """Return an answer and the day it was read, if that was not now."""
        raise NotImplementedError

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments booked, newest first."""
        return await self._ask_now(
            account, f"payments {limit}", lambda: self._activity.list_payments(account, limit)
        )

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return the charges that are on no bill yet."""
        return await self._ask_now(account, "unbilled", lambda: self._activity.list_unbilled_lines(account))

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used in the current period."""
        return await self._ask_now(
            account, f"meter {msisdn}", lambda: self._activity.list_allowances(account, msisdn)
        )

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return what the account's lines subscribe to."""
        return await self._ask_now(account, "services", lambda: self._activity.list_services(account))

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate in force."""
        return await self._ask_now(account, "debit", lambda: self._activity.find_debit(account))

    @property
    def _activity(self) -> AccountActivity:
        return account_activity(self.backend)

    async def _ask_now(self, account: str, question: str, fetch: Callable[[], Awaitable[T]]) -> T:
        value, _ = await self._read_through(account, question, fetch, allow_stale=False)
        return value
