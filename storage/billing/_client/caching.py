"""Read-through cache of a billing backend with request coalescing and stale-if-error."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar, cast

from cachetools import LRUCache

from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import Down, NotEligible, Refused
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)
from flows.domain.single_flight import SingleFlight
from storage.billing._client.activity_cache import CachedActivity
from storage.billing._client.booking_cache import CachedBookings
from storage.billing.backend import BillEventSource, RemoteBilling

T = TypeVar("T")
FRESH_SECONDS = 180.0
"""Time an answer is fresh: the lifetime of a session, so that a conversation reads once."""
MAX_FRESH_SECONDS = 900.0
"""Upper limit of the setting `cache_seconds`."""
STALE_IF_ERROR_SECONDS = 86_400.0
"""Maximum age of an answer shown, with its date, while the BSS is down."""
OWNER_QUESTION = "who"
"""Cache key of a number's subscriber."""
MEDIA_QUESTION = "media"
"""Cache key of how bills reach an account: read again each time, as other processes change it."""
NUMBER_MARK = "number "
"""Beginning of the cache keys that name the numbers of an account."""
OWNER_FRESH_SECONDS, OWNER_STALE_SECONDS = 30.0, 3_600.0
"""Limits of both times for a number's subscriber, as numbers change hands; cached profiles add as much."""
BILLS_PER_READ = 12
"""Bills are read in multiples of this, so that the latest, the list and one of it are one request."""
MAX_OWNERS = 20_000
"""Accounts and numbers cached; the least recently read are evicted first."""
MAX_CACHED_ENTRIES = 200
"""Longest list of usage or purchases that is cached."""


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A cached answer, with its time on the monotonic clock and its date."""

    value: Any = field(repr=False)
    cached_at: float
    cached_on: date


@dataclass(slots=True)
class CachedBilling(CachedActivity, CachedBookings):
    """Cache in front of a backend over the network; implements the `Billing` port.

    Concurrent equal reads share one request. It continues when its caller gives up, so that a late answer
    is there for the deferred step. `set_media` drops the account's cached answers.
    """

    backend: RemoteBilling = field(repr=False)
    today: Callable[[], date]
    fresh_seconds: float = FRESH_SECONDS
    clock: Callable[[], float] = time.monotonic
    answers: LRUCache[str, dict[str, CachedAnswer]] = field(
        default_factory=lambda: LRUCache(MAX_OWNERS), repr=False
    )
    reads: SingleFlight[tuple[str, str], Any] = field(default_factory=SingleFlight, repr=False)
    """Reads under way, by owner and question."""

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; the last known one while the backend is down.

        Numbers change hands, so this is cached for a shorter time than bills.
        """
        value, _ = await self._read_through(
            msisdn, OWNER_QUESTION, lambda: self.backend.get_subscriber(msisdn), allow_stale=True
        )
        named = CachedAnswer(msisdn, self.clock(), self.today())
        self._store_answer(value.account, NUMBER_MARK + msisdn, named)
        return value

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber the backend has now, and cache it; Down when it does not answer.

        A read under way is not joined: what it asks may be answered already.
        """
        return await self._fetch_and_store(
            msisdn, OWNER_QUESTION, lambda: self.backend.recheck_subscriber(msisdn)
        )

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; cached ones with their date while the backend is down."""
        read_limit = -(-(limit + offset) // BILLS_PER_READ) * BILLS_PER_READ
        value, seen = await self._read_through(
            account,
            f"bills {read_limit}",
            lambda: self.backend.list_bills(account, read_limit),
            allow_stale=True,
        )
        return [_with_seen_date(bill, seen) for bill in value[offset : offset + limit]]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account, from its cached list when that is fresh."""
        cached = self._bill_from_list(account, bill_id, self._ttl_seconds)
        if cached:
            return cast(Bill, cached.value)
        try:
            value, seen = await self._read_through(
                account, f"bill {bill_id}", lambda: self.backend.get_bill(account, bill_id), allow_stale=True
            )
        except Down:
            cached = self._bill_from_list(account, bill_id, STALE_IF_ERROR_SECONDS)
            if cached is None:
                raise
            value, seen = cached.value, cached.cached_on
        return _with_seen_date(value, seen)

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail, which does not change once issued."""
        value, _ = await self._read_through(
            account,
            f"lines {bill_id}",
            lambda: self.backend.list_bill_lines(account, bill_id),
            allow_stale=True,
        )
        return value

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today; never a stale answer."""
        value, _ = await self._read_through(
            account, MEDIA_QUESTION, lambda: self.backend.get_media(account), allow_stale=False
        )
        return value

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Set paper or e-mail, then drop the account's cached answers, also after a failure."""
        return await self._change_account(account, self.backend.set_media(account, destination))

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Set the postal address, then drop the account's cached answers, also after a failure."""
        return await self._change_account(account, self.backend.set_postal_address(account, address))

    async def _change_account(self, account: str, change: Awaitable[bool]) -> bool:
        """Make a change; the subscribers of the account's numbers are read anew, as they show its addresses."""
        try:
            return await change
        finally:
            for question in self.answers.get(account, {}):
                if question.startswith(NUMBER_MARK):
                    self.answers.pop(question.removeprefix(NUMBER_MARK), None)
            self.invalidate_account(account)

    def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over a whole billing cycle page by page, uncached."""
        return self.backend.list_issued_bills(first, last)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills."""
        value, _ = await self._read_through(
            account, "holder", lambda: self.backend.get_account_holder(account), allow_stale=False
        )
        return value

    async def register_callback(self, callback: str) -> None:
        """Subscribe to the BSS's bill events; NotEligible when the backend has none."""
        if not isinstance(self.backend, BillEventSource):
            raise NotEligible("this backend sends no bill events")
        await self.backend.register_callback(callback)

    def invalidate_account(self, account: str) -> None:
        """Drop the cached answers of an account, and detach its reads under way: its bills changed.

        Callers that wait for such a read still get its answer; later callers read again.
        """
        self.answers.pop(account, None)
        self.reads.detach(lambda key: key[0] == account)

    @property
    def capabilities(self) -> Collection[Capability]:
        """What the backend can do besides bills."""
        return self.backend.capabilities

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases, newest first; a long list, for a file, is not cached."""
        if limit > MAX_CACHED_ENTRIES:
            return await self.backend.list_entries(account, what, limit)
        value, _ = await self._read_through(
            account,
            f"{what} {limit}",
            lambda: self.backend.list_entries(account, what, limit),
            allow_stale=False,
        )
        return value

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the issuer's document, uncached because of its size."""
        return await self.backend.get_document(account, bill_id)

    async def close(self) -> None:
        """Cancel the reads under way and close the backend's connections."""
        await self.reads.close()
        await self.backend.close()

    @property
    def _ttl_seconds(self) -> float:
        return min(self.fresh_seconds, MAX_FRESH_SECONDS)

    def _bill_from_list(self, account: str, bill_id: str, max_age_seconds: float) -> CachedAnswer | None:
        """Return a bill from a cached list younger than `max_age_seconds`, else None."""
        for what, cached in self.answers.get(account, {}).items():
            if what.startswith("bills ") and self.clock() - cached.cached_at < max_age_seconds:
                for bill in cached.value:
                    if bill.id == bill_id:
                        return replace(cached, value=bill)
        return None

    async def _read_through(
        self, owner: str, question: str, fetch: Callable[[], Awaitable[T]], *, allow_stale: bool
    ) -> tuple[T, date | None]:
        """Return a fresh answer and None, or while the backend is down a stale one and its date."""
        cached = self.answers.get(owner, {}).get(question)
        fresh_seconds, stale_seconds = self._cache_times(question)
        if cached and self.clock() - cached.cached_at < fresh_seconds:
            return cached.value, None
        try:
            return await self.reads.join(
                (owner, question), lambda: self._fetch_and_store(owner, question, fetch)
            ), None
        except Down:
            if not (allow_stale and cached and self.clock() - cached.cached_at < stale_seconds):
                raise
            return cached.value, cached.cached_on

    def _cache_times(self, question: str) -> tuple[float, float]:
        """Return how long an answer is fresh, and how long it is shown while the backend is down."""
        if question == MEDIA_QUESTION:
            return 0.0, 0.0
        if question == OWNER_QUESTION:
            return min(self._ttl_seconds, OWNER_FRESH_SECONDS), OWNER_STALE_SECONDS
        return self._ttl_seconds, STALE_IF_ERROR_SECONDS

    async def _fetch_and_store(self, owner: str, question: str, fetch: Callable[[], Awaitable[T]]) -> T:
        # An answer is cached only if no invalidation replaced this dictionary while it was read.
        before = self.answers.setdefault(owner, {})
        try:
            value = await fetch()
        except Refused:
            before.pop(question, None)
            raise
        if self.answers.get(owner) is before:
            self._store_answer(owner, question, CachedAnswer(value, self.clock(), self.today()))
        return value

    def _store_answer(self, owner: str, question: str, answer: CachedAnswer) -> None:
        """Cache an answer, which marks its account or number as recently read."""
        self.answers.setdefault(owner, {})[question] = answer


def _with_seen_date(bill: Bill, seen: date | None) -> Bill:
    return replace(bill, as_of=seen) if seen else bill
