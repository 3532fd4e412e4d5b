"""Read-through cache of a billing backend with request coalescing and stale-if-error."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar, cast

from flows.domain.failures import Down, NotEligible, Refused
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Media, Subscriber
from storage.billing.backend import Announcing, Remote

T = TypeVar("T")
FRESH_SECONDS = 180.0
"""Time an answer is fresh: the lifetime of a session, so that a conversation reads once."""
FRESHEST_SECONDS = 900.0
"""Upper limit of the setting `cache_seconds`."""
STALE_SECONDS = 86_400.0
"""Maximum age of an answer shown, with its date, while the BSS is down."""
BLOCK = 12
"""Bills are read in multiples of this, so that the latest, the list and one of it are one request."""
MOST = 20_000
"""Accounts and numbers cached; the least recently read are evicted first."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A cached answer, with its time on the monotonic clock and its date."""

    value: Any = field(repr=False)
    at: float
    day: date


@dataclass(slots=True)
class Kept:
    """Cache in front of a backend over the network; implements the `Billing` port.

    Concurrent equal reads share one request. It continues when its caller gives up, so that a late answer
    is there for the deferred step. `set_media` drops the account's cached answers.
    """

    inner: Remote = field(repr=False)
    today: Callable[[], date]
    fresh_seconds: float = FRESH_SECONDS
    clock: Callable[[], float] = time.monotonic
    known: OrderedDict[str, dict[str, Answered]] = field(default_factory=OrderedDict, repr=False)
    asking: dict[tuple[str, str], asyncio.Task[Any]] = field(default_factory=dict, repr=False)

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; the last known one while the backend is down."""
        value, _ = await self._asked(msisdn, "who", lambda: self.inner.subscriber(msisdn), stale=True)
        return value

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; cached ones with their date while the backend is down."""
        read_limit = -(-(limit + offset) // BLOCK) * BLOCK
        value, seen = await self._asked(
            account, f"bills {read_limit}", lambda: self.inner.bills(account, read_limit), stale=True
        )
        return [_dated(bill, seen) for bill in value[offset : offset + limit]]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account, from its cached list when that is fresh."""
        cached = self._listed(account, bill_id, self._freshest)
        if cached:
            return cast(Bill, cached.value)
        try:
            value, seen = await self._asked(
                account, f"bill {bill_id}", lambda: self.inner.bill(account, bill_id), stale=True
            )
        except Down:
            cached = self._listed(account, bill_id, STALE_SECONDS)
            if cached is None:
                raise
            value, seen = cached.value, cached.day
        return _dated(value, seen)

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail, which does not change once issued."""
        value, _ = await self._asked(
            account, f"lines {bill_id}", lambda: self.inner.lines(account, bill_id), stale=True
        )
        return value

    async def media(self, account: str) -> Media:
        """Return how bills reach this account today; never a stale answer."""
        value, _ = await self._asked(account, "media", lambda: self.inner.media(account), stale=False)
        return value

    async def set_media(self, account: str, media: Media) -> bool:
        """Set paper or e-mail, then drop the account's cached answers, also after a failure."""
        try:
            return await self.inner.set_media(account, media)
        finally:
            self.known.pop(account, None)

    def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over a whole billing cycle page by page, uncached."""
        return self.inner.issued(first, last)

    async def holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills."""
        value, _ = await self._asked(account, "holder", lambda: self.inner.holder(account), stale=False)
        return value

    async def register_callback(self, callback: str) -> None:
        """Subscribe to the BSS's bill events; NotEligible when the backend has none."""
        if not isinstance(self.inner, Announcing):
            raise NotEligible("this backend sends no bill events")
        await self.inner.register_callback(callback)

    def invalidate_account(self, account: str) -> None:
        """Drop the cached answers of an account, because its bills changed."""
        self.known.pop(account, None)

    @property
    def capabilities(self) -> Collection[Capability]:
        """What the backend can do besides bills."""
        return self.inner.capabilities

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Return usage or purchases, newest first."""
        value, _ = await self._asked(
            account, f"{what} {limit}", lambda: self.inner.entries(account, what, limit), stale=False
        )
        return value

    async def document(self, account: str, bill_id: str) -> Document:
        """Return the issuer's document, uncached because of its size."""
        return await self.inner.document(account, bill_id)

    async def close(self) -> None:
        """Cancel the reads under way and close the backend's connections."""
        for task in self.asking.values():
            task.cancel()
        await asyncio.gather(*self.asking.values(), return_exceptions=True)
        await self.inner.close()

    @property
    def _freshest(self) -> float:
        return min(self.fresh_seconds, FRESHEST_SECONDS)

    def _listed(self, account: str, bill_id: str, seconds: float) -> Answered | None:
        """Return a bill from a cached list younger than `max_age_seconds`, else None."""
        for what, cached in self.known.get(account, {}).items():
            if what.startswith("bills ") and self.clock() - cached.at < seconds:
                for bill in cached.value:
                    if bill.id == bill_id:
                        return replace(cached, value=bill)
        return None

    async def _asked(
        self, whose: str, what: str, ask: Callable[[], Awaitable[T]], *, stale: bool
    ) -> tuple[T, date | None]:
        """Return a fresh answer and None, or while the backend is down a stale one and its date."""
        cached = self.known.get(whose, {}).get(what)
        if cached and self.clock() - cached.at < self._freshest:
            return cached.value, None
        try:
            return await asyncio.shield(self._task(whose, what, ask)), None
        except Down:
            if not (stale and cached and self.clock() - cached.at < STALE_SECONDS):
                raise
            return cached.value, cached.day

    def _task(self, whose: str, what: str, ask: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        task = self.asking.get((whose, what))
        if task is None:
            task = self.asking[whose, what] = asyncio.ensure_future(self._answered(whose, what, ask))
            task.add_done_callback(lambda done: self._over(whose, what, done))
        return task

    async def _answered(self, whose: str, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        # An answer is cached only if no invalidation replaced this dictionary while it was read.
        before = self.known.setdefault(whose, {})
        if len(self.known) > MOST:
            self.known.popitem(last=False)
        try:
            value = await ask()
        except Refused:
            before.pop(what, None)
            raise
        if self.known.get(whose) is before:
            self._keep(whose, what, Answered(value, self.clock(), self.today()))
        return value

    def _keep(self, whose: str, what: str, answer: Answered) -> None:
        """Cache an answer and mark its account or number as recently read."""
        self.known[whose][what] = answer
        self.known.move_to_end(whose)

    def _over(self, whose: str, what: str, done: asyncio.Task[Any]) -> None:
        self.asking.pop((whose, what), None)
        if not done.cancelled():
            done.exception()


def _dated(bill: Bill, seen: date | None) -> Bill:
    return replace(bill, seen=seen) if seen else bill
