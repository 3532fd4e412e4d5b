"""Subscriber lookup cache: caller profiles kept for 60 s, so that a conversation asks billing once."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flows.domain.actions import World
from flows.domain.failures import Down, Failure, NotFound, Slow
from flows.domain.pseudonyms import Keys
from flows.domain.records import Subscriber
from flows.engine.deadlines import Patience
from menus.model.value import value

LIFE = timedelta(seconds=60)
MOST = 50_000
"""Most profiles cached; the oldest lookups are evicted first."""


@value
class Person:
    """What a conversation needs to know of the caller."""

    subscriber: Subscriber | None = field(default=None, repr=False)
    """None when the number is unknown or billing has not answered yet."""
    language: str = ""
    """The stored preference, else billing's language, else empty."""
    failure: type[Failure] = NotFound
    """Failure that explains a missing subscriber."""
    owner: str = ""
    """Keyed hash of the number's owner; empty while unknown."""


@dataclass(slots=True)
class People:
    """Cached, coalesced subscriber lookups of one operator."""

    world: World
    keys: Keys = field(repr=False)
    patience: Patience = field(default_factory=Patience)
    known: OrderedDict[str, tuple[datetime, Person]] = field(default_factory=OrderedDict, repr=False)
    asking: dict[str, asyncio.Task[Person]] = field(default_factory=dict, repr=False)

    async def glimpse(self, number: str) -> Person:
        """Return the profile within `lookup_seconds`, else an empty one with the failure `Slow`.

        A lookup that takes longer continues in the background.
        """
        cached = self._remembered(number)
        if cached:
            return cached
        try:
            return await asyncio.wait_for(self.find(number), self.patience.name)
        except TimeoutError:
            return Person(failure=Slow)

    async def find(self, number: str) -> Person:
        """Return the profile; concurrent callers share one lookup, which a cancelled caller does not stop.

        When billing fails the profile is empty and carries the failure (`Slow` or `Down`).
        """
        cached = self._remembered(number)
        if cached:
            return cached
        try:
            return await asyncio.shield(self._asked(number))
        except Slow:
            return Person(failure=Slow)
        except Failure:
            return Person(failure=Down)

    def forget(self, number: str) -> None:
        """Drop a cached profile, because its data changed."""
        self.known.pop(number, None)

    def _remembered(self, number: str) -> Person | None:
        if not number:
            return Person()
        entry = self.known.get(number)
        return entry[1] if entry and entry[0] > self.world.now() else None

    def _asked(self, number: str) -> asyncio.Task[Person]:
        """Return the pending lookup of a number, or start one."""
        task = self.asking.get(number)
        if task is None:
            task = self.asking[number] = asyncio.create_task(self._ask(number))
            task.add_done_callback(lambda done: self._kept(number, done))
        return task

    def _kept(self, number: str, done: asyncio.Task[Person]) -> None:
        self.asking.pop(number, None)
        if done.cancelled() or done.exception():
            return
        self.known[number] = (self.world.now() + LIFE, done.result())
        self.known.move_to_end(number)
        if len(self.known) > MOST:
            self.known.popitem(last=False)

    async def _ask(self, number: str) -> Person:
        today = self.world.today()  # read first: billing may report the same day, and midnight may pass
        try:
            subscriber = await self.world.billing.subscriber(number)
        except NotFound:
            return Person()
        preference = await self.world.ledger.welcome(number, subscriber, self.world.now(), today)
        language = preference.language or subscriber.language
        return Person(subscriber, language, owner=self.keys.owner(subscriber))
