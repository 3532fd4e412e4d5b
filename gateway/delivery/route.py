"""Lanes: one operator's way out by one route, its providers in order of preference, no more than they bear."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from flows.domain.circuit_breaker import Breaker
from flows.domain.failures import Failure, Misconfigured, NotNow, OutcomeUnknown, TryLater, Undelivered
from flows.domain.records import Notice
from gateway.delivery.token_bucket import Bucket
from gateway.providers.contract import Sender, Sent

CALL_SECONDS = 9.0
"""No call to a provider takes longer; then its outcome is unknown."""
URGENT = frozenset({"code", "reply"})
"""Somebody is waiting for these: they may queue where others are put back."""
CROWDED = timedelta(seconds=0.25)
"""What finds no room comes again so much later."""
AT_ONCE = 16
"""Messages under way to one provider at once, unless its sender says otherwise."""
TOGETHER = 100
"""Recipients of one bulk call."""

Outcome = Sent | Failure


@runtime_checkable
class BulkSender(Protocol):
    """A sender that takes one body for several numbers in one call."""

    async def send_many(self, notices: Sequence[Notice]) -> list[Sent | Undelivered]:
        """The outcomes in the notices' order; what is raised, a Failure, is of all of them: none has left."""


@dataclass(slots=True)
class Room:
    """Places for work under way, and as many to wait for one."""

    most: int
    taken: int = 0
    places: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.places = asyncio.Semaphore(self.most)

    @property
    def full(self) -> bool:
        """Is every place taken, and every place to wait?"""
        return self.taken >= 2 * self.most

    async def __aenter__(self) -> None:
        self.taken += 1
        try:
            await self.places.acquire()
        except BaseException:
            self.taken -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self.taken -= 1
        self.places.release()


@dataclass(slots=True)
class Way:
    """One provider of a lane, behind its breaker."""

    sender: Sender
    breaker: Breaker
    deduplicates: bool = False
    """Does it take a message once per key of ours? Then nothing is unknown: it is simply sent again."""

    async def send(self, notices: Sequence[Notice]) -> list[Outcome]:
        """One call, its outcomes in the notices' order; the breaker learns of them."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcomes = await self._called(notices)
        except TimeoutError:
            outcomes = [OutcomeUnknown("no answer in time")] * len(notices)
        for outcome in outcomes:
            self._learn(outcome)
        return outcomes

    async def _called(self, notices: Sequence[Notice]) -> list[Outcome]:
        try:
            if len(notices) > 1 and isinstance(self.sender, BulkSender):
                return [*await self.sender.send_many(notices)]
            return [await self.sender.send(notices[0])]
        except Failure as failure:
            return [failure] * len(notices)

    def _learn(self, outcome: Outcome) -> None:
        if isinstance(outcome, TryLater) and outcome.after_seconds:
            self.breaker.rest(outcome.after_seconds)
        elif isinstance(outcome, Misconfigured):
            self.breaker.failed(at_once=True)
        elif isinstance(outcome, TryLater | OutcomeUnknown) and not isinstance(outcome, NotNow):
            self.breaker.failed()
        else:
            self.breaker.worked()


@dataclass(slots=True)
class Lane:
    """What leaves through here leaves at `bucket`'s rate, by the first of `ways` that takes it."""

    ways: tuple[Way, ...]
    bucket: Bucket
    room: Room = field(default_factory=lambda: Room(AT_ONCE))

    @property
    def deduplicates(self) -> bool:
        """May a message whose outcome is unknown be sent again without harm?"""
        return all(way.deduplicates for way in self.ways)

    @property
    def bulk(self) -> bool:
        """Do equal bodies go in one call? Not where each message must carry its own key."""
        return isinstance(self.ways[0].sender, BulkSender) and not self.deduplicates

    @property
    def full(self) -> bool:
        """Can no notice go now, whatever the rate? Only what is urgent is worth claiming."""
        return self.room.full or self.opens_at() is not None

    def later(self, notice: Notice) -> datetime | None:
        """When to come again, if this notice cannot go now; None when it can, and a token is used."""
        urgent = notice.kind in URGENT
        opens = self.opens_at()
        if opens is not None:
            return opens if urgent else max(opens, self.bucket.appointment())
        if self.room.full and not urgent:
            return self.bucket.now() + CROWDED
        if self.bucket.take():
            return None
        return self.bucket.soon() if urgent else self.bucket.appointment()

    def opens_at(self) -> datetime | None:
        """When the first of the ways, all of them left alone now, may be tried; None while one is open."""
        now = self.bucket.now()
        probes = [way.breaker.probe_at for way in self.ways]
        if any(at is None or at <= now for at in probes):
            return None
        return min(at for at in probes if at is not None)

    async def send(self, notices: Sequence[Notice]) -> list[Outcome | None]:
        """Each notice's outcome; None for one that no way was open for.

        What one way did not take goes to the next; what it may have taken never does.
        """
        outcomes: list[Outcome | None] = [None] * len(notices)
        left = list(range(len(notices)))
        for way in self.ways:
            if left and way.breaker.admits():
                tried = await way.send([notices[index] for index in left])
                outcomes = _merged(outcomes, left, tried)
                left = [index for index in left if isinstance(outcomes[index], TryLater | Misconfigured)]
        return outcomes


def _merged(
    before: Sequence[Outcome | None], left: Sequence[int], tried: Sequence[Outcome]
) -> list[Outcome | None]:
    after = list(before)
    for index, outcome in zip(left, tried, strict=True):
        after[index] = outcome
    return after
