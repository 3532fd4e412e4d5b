"""Subscriber lookup cache: caller profiles kept for 30 s, so that turns share a lookup."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from cachetools import FIFOCache

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Down, Failure, NotFound, Slow
from flows.domain.newest_bill import read_subscriber_and_bill
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, Subscriber
from flows.domain.single_flight import SingleFlight
from flows.engine.deadlines import TimeBudgets
from menus.model.value import value_dataclass

CACHE_LIFETIME = timedelta(seconds=30)
"""A billing answer may be as old when it comes: together a minute, the limit for whose a number is."""
MAX_PROFILES = 50_000
"""Most profiles cached, and most languages remembered; the oldest lookups are evicted first."""
LANGUAGE_SECONDS = 0.2
"""Longest wait for the language of a caller whom billing does not tell of."""


@value_dataclass
class CallerProfile:
    """What a conversation needs to know of the caller."""

    subscriber: Subscriber | None = field(default=None, repr=False)
    """None when the number is unknown or billing has not answered yet."""
    language: str = ""
    """The stored preference, else billing's language, else empty."""
    lookup_failure: type[Failure] = NotFound
    """Failure that explains a missing subscriber."""
    owner_hash: str = ""
    """Keyed hash of the number's owner; empty while unknown."""
    newest_bills: Sequence[Bill] | None = field(default=None, repr=False)
    """The newest bill, or none, where billing gave it with the subscriber; None in a cached profile."""


@dataclass(slots=True)
class SubscriberCache:
    """Cached, coalesced subscriber lookups of one operator."""

    operator: str
    ports: OperatorPorts
    pseudonyms: Pseudonyms = field(repr=False)
    time_budgets: TimeBudgets = field(default_factory=TimeBudgets)
    profiles: FIFOCache[str, tuple[datetime, CallerProfile]] = field(
        default_factory=lambda: FIFOCache(MAX_PROFILES), repr=False
    )
    languages: FIFOCache[str, str] = field(default_factory=lambda: FIFOCache(MAX_PROFILES), repr=False)
    """Language of each number looked up, for the time in which billing does not answer."""
    lookups: SingleFlight[str, CallerProfile] = field(default_factory=SingleFlight, repr=False)

    async def find_quickly(self, number: str) -> CallerProfile:
        """Return the profile within `lookup_seconds`, else one of a language only, with the failure `Slow`.

        A lookup that takes longer continues in the background.
        """
        cached = self._cached_profile(number)
        if cached:
            return cached
        try:
            return await asyncio.wait_for(self.find(number), self.time_budgets.lookup_seconds)
        except TimeoutError:
            return await self._without_billing(number, Slow)

    async def find(self, number: str) -> CallerProfile:
        """Return the profile; concurrent callers share one lookup, which a cancelled caller does not stop.

        When billing fails the profile has a language only and carries the failure (`Slow` or `Down`).
        """
        cached = self._cached_profile(number)
        if cached:
            return cached
        try:
            return await self.lookups.join(number, lambda: self._look_up(number))
        except Slow:
            return await self._without_billing(number, Slow)
        except Failure:
            return await self._without_billing(number, Down)

    def forget(self, number: str) -> None:
        """Drop a cached profile, because its data changed."""
        self.profiles.pop(number, None)

    async def _without_billing(self, number: str, failure: type[Failure]) -> CallerProfile:
        """Return the last known language of a caller: as this process saw it, else as it was chosen."""
        language = self.languages.get(number, "")
        if not language:
            with suppress(Failure, TimeoutError):
                async with asyncio.timeout(LANGUAGE_SECONDS):
                    language = await self.ports.ledger.last_language(self.operator, number)
        return CallerProfile(language=language, lookup_failure=failure)

    def _cached_profile(self, number: str) -> CallerProfile | None:
        if not number:
            return CallerProfile()
        entry = self.profiles.get(number)
        return entry[1] if entry and entry[0] > self.ports.now() else None

    async def _look_up(self, number: str) -> CallerProfile:
        """Ask billing and the ledger, and cache the profile."""
        profile = await self._read_profile(number)
        self._drop_expired()
        self.forget(number)  # so that the order is that of expiry
        self.profiles[number] = (self.ports.now() + CACHE_LIFETIME, replace(profile, newest_bills=None))
        self.languages.pop(number, None)
        if profile.language:
            self.languages[number] = profile.language
        return profile

    def _drop_expired(self) -> None:
        """Drop at most two expired profiles for each new one."""
        now = self.ports.now()
        for number in list(islice(self.profiles, 2)):
            if self.profiles[number][0] <= now:
                del self.profiles[number]

    async def _read_profile(self, number: str) -> CallerProfile:
        today = self.ports.today()  # read first: billing may report the same day, and midnight may pass
        try:
            subscriber, newest_bills = await read_subscriber_and_bill(self.ports.billing, number)
        except NotFound:
            return CallerProfile()
        preference = await self.ports.ledger.bind_number(number, subscriber, self.ports.now(), today)
        language = preference.language or subscriber.language
        owner_hash = self.pseudonyms.owner_hash(subscriber)
        return CallerProfile(subscriber, language, owner_hash=owner_hash, newest_bills=newest_bills)
