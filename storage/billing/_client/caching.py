"""Kept answers: a backend asked once a session, and what it last said when it cannot be asked."""

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
"""As long as a session lives: a conversation asks once."""
FRESHEST_SECONDS = 900.0
"""The most that may be set."""
STALE_SECONDS = 86_400.0
"""So old may an answer be that is shown, with its date, while the BSS is down."""
BLOCK = 12
"""Bills are asked for so many at a time, so that the latest, the list and one of it are one question."""
MOST = 20_000
"""Accounts and numbers remembered; those asked for the longest ago go first."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and when it was given: on the steady clock, and as a date."""

    value: Any = field(repr=False)
    at: float
    day: date


@dataclass(slots=True)
class Kept:
    """The `Billing` port in front of a backend over the network.

    A question under way is joined, not asked twice, and goes on when who asked has left: the answer that
    comes after the caller was promised it is there for the errand. What `set_media` changes is forgotten.
    """

    inner: Remote = field(repr=False)
    today: Callable[[], date]
    fresh_seconds: float = FRESH_SECONDS
    clock: Callable[[], float] = time.monotonic
    known: OrderedDict[str, dict[str, Answered]] = field(default_factory=OrderedDict, repr=False)
    asking: dict[tuple[str, str], asyncio.Task[Any]] = field(default_factory=dict, repr=False)

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number; who stood there, while the backend is down."""
        value, _ = await self._asked(msisdn, "who", lambda: self.inner.subscriber(msisdn), stale=True)
        return value

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Issued bills, newest first; with their date while the backend is down."""
        most = -(-(limit + offset) // BLOCK) * BLOCK
        value, seen = await self._asked(
            account, f"bills {most}", lambda: self.inner.bills(account, most), stale=True
        )
        return [_dated(bill, seen) for bill in value[offset : offset + limit]]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account, out of its list when that was just read."""
        listed = self._listed(account, bill_id, self._freshest)
        if listed:
            return cast(Bill, listed.value)
        try:
            value, seen = await self._asked(
                account, f"bill {bill_id}", lambda: self.inner.bill(account, bill_id), stale=True
            )
        except Down:
            listed = self._listed(account, bill_id, STALE_SECONDS)
            if listed is None:
                raise
            value, seen = listed.value, listed.day
        return _dated(value, seen)

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The bill's detail, which does not change once issued."""
        value, _ = await self._asked(
            account, f"lines {bill_id}", lambda: self.inner.lines(account, bill_id), stale=True
        )
        return value

    async def media(self, account: str) -> Media:
        """How bills reach this account today; never an old answer."""
        value, _ = await self._asked(account, "media", lambda: self.inner.media(account), stale=False)
        return value

    async def set_media(self, account: str, media: Media) -> bool:
        """Ask for paper or e-mail; whatever comes of it, the next read is a fresh one."""
        try:
            return await self.inner.set_media(account, media)
        finally:
            self.known.pop(account, None)

    def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """A whole cycle, page by page; nothing of it is kept."""
        return self.inner.issued(first, last)

    async def holder(self, account: str) -> Subscriber:
        """Who is told of this account's bills."""
        value, _ = await self._asked(account, "holder", lambda: self.inner.holder(account), stale=False)
        return value

    async def listen(self, callback: str) -> None:
        """Ask the BSS to tell us of bills; NotEligible when this one cannot."""
        if not isinstance(self.inner, Announcing):
            raise NotEligible("this backend announces nothing")
        await self.inner.listen(callback)

    def forget(self, account: str) -> None:
        """Something about the account's bills changed: ask again."""
        self.known.pop(account, None)

    @property
    def capabilities(self) -> Collection[Capability]:
        """What the backend can do besides bills."""
        return self.inner.capabilities

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """What was used or bought, newest first."""
        value, _ = await self._asked(
            account, f"{what} {limit}", lambda: self.inner.entries(account, what, limit), stale=False
        )
        return value

    async def document(self, account: str, bill_id: str) -> Document:
        """The issuer's document; too large to keep."""
        return await self.inner.document(account, bill_id)

    async def close(self) -> None:
        """End what is under way and the backend's connections."""
        for task in self.asking.values():
            task.cancel()
        await asyncio.gather(*self.asking.values(), return_exceptions=True)
        await self.inner.close()

    @property
    def _freshest(self) -> float:
        return min(self.fresh_seconds, FRESHEST_SECONDS)

    def _listed(self, account: str, bill_id: str, seconds: float) -> Answered | None:
        """A bill as a list not older than this showed it."""
        for what, kept in self.known.get(account, {}).items():
            if what.startswith("bills ") and self.clock() - kept.at < seconds:
                for bill in kept.value:
                    if bill.id == bill_id:
                        return replace(kept, value=bill)
        return None

    async def _asked(
        self, whose: str, what: str, ask: Callable[[], Awaitable[T]], *, stale: bool
    ) -> tuple[T, date | None]:
        """The answer, and the day it is of when it is not today's word."""
        kept = self.known.get(whose, {}).get(what)
        if kept and self.clock() - kept.at < self._freshest:
            return kept.value, None
        try:
            return await asyncio.shield(self._task(whose, what, ask)), None
        except Down:
            if not (stale and kept and self.clock() - kept.at < STALE_SECONDS):
                raise
            return kept.value, kept.day

    def _task(self, whose: str, what: str, ask: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        task = self.asking.get((whose, what))
        if task is None:
            task = self.asking[whose, what] = asyncio.ensure_future(self._answered(whose, what, ask))
            task.add_done_callback(lambda done: self._over(whose, what, done))
        return task

    async def _answered(self, whose: str, what: str, ask: Callable[[], Awaitable[T]]) -> T:
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
        """Unless it was forgotten meanwhile: an answer asked for before a change may not outlive it."""
        self.known[whose][what] = answer
        self.known.move_to_end(whose)

    def _over(self, whose: str, what: str, done: asyncio.Task[Any]) -> None:
        self.asking.pop((whose, what), None)
        if not done.cancelled():
            done.exception()


def _dated(bill: Bill, seen: date | None) -> Bill:
    return replace(bill, seen=seen) if seen else bill
