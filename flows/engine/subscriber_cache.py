"""People: who a caller is, remembered for a minute so that a conversation asks billing once."""

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
"""Callers remembered at once; those billing was asked about longest ago go first."""


@value
class Person:
    """A caller as a conversation needs them."""

    subscriber: Subscriber | None = field(default=None, repr=False)
    """None when nobody has that number, or when billing has not said yet."""
    language: str = ""
    """What they chose with us, else what billing says, else empty."""
    failure: type[Failure] = NotFound
    """Why there is no subscriber."""
    owner: str = ""
    """A keyed hash of whose number it is; empty while nobody is known."""


@dataclass(slots=True)
class People:
    """The callers of one operator."""

    world: World
    keys: Keys = field(repr=False)
    patience: Patience = field(default_factory=Patience)
    known: OrderedDict[str, tuple[datetime, Person]] = field(default_factory=OrderedDict, repr=False)
    asking: dict[str, asyncio.Task[Person]] = field(default_factory=dict, repr=False)

    async def glimpse(self, number: str) -> Person:
        """Who this is, unless it takes longer than a first screen waits; the question goes on behind."""
        found = self._remembered(number)
        if found:
            return found
        try:
            return await asyncio.wait_for(self.find(number), self.patience.name)
        except TimeoutError:
            return Person(failure=Slow)

    async def find(self, number: str) -> Person:
        """Who this is; whoever asks meanwhile shares the question, and it outlives who gives up."""
        found = self._remembered(number)
        if found:
            return found
        try:
            return await asyncio.shield(self._asked(number))
        except Slow:
            return Person(failure=Slow)
        except Failure:
            return Person(failure=Down)

    def forget(self, number: str) -> None:
        """Something about them changed: ask again next time."""
        self.known.pop(number, None)

    def _remembered(self, number: str) -> Person | None:
        if not number:
            return Person()
        found = self.known.get(number)
        return found[1] if found and found[0] > self.world.now() else None

    def _asked(self, number: str) -> asyncio.Task[Person]:
        """One question per caller at a time."""
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
        today = self.world.today()  # before billing answers: it may mean the same day, and midnight may come
        try:
            subscriber = await self.world.billing.subscriber(number)
        except NotFound:
            return Person()
        chosen = await self.world.ledger.welcome(number, subscriber, self.world.now(), today)
        language = chosen.language or subscriber.language
        return Person(subscriber, language, owner=self.keys.owner(subscriber))
