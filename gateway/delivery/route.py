"""Outbound route of an operator: ordered providers with failover, rate limit and concurrency limit."""

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
"""Time limit of a provider call; past it the outcome is unknown."""
URGENT = frozenset({"code", "reply"})
"""Message kinds somebody is waiting for: they may queue where others are postponed."""
CROWDED = timedelta(seconds=0.25)
"""Delay of a message that is postponed because the route is at its concurrency limit."""
AT_ONCE = 16
"""Concurrent calls to a provider whose sender names no limit of its own."""
TOGETHER = 100
"""Most recipients of one bulk call."""

Outcome = Sent | Failure


@runtime_checkable
class BulkSender(Protocol):
    """A sender that takes one body for several numbers in one call."""

    async def send_many(self, notices: Sequence[Notice]) -> list[Sent | Undelivered]:
        """Send and return the outcomes in the notices' order; a raised Failure means that none was sent."""


@dataclass(slots=True)
class Room:
    """A concurrency limit with a bounded queue: as many may wait as may run."""

    most: int
    taken: int = 0
    places: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.places = asyncio.Semaphore(self.most)

    @property
    def full(self) -> bool:
        """Return whether every running place and every waiting place is taken."""
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
    """One provider of a route, behind its circuit breaker."""

    sender: Sender
    breaker: Breaker
    deduplicates: bool = False
    """Whether the provider sends a message once per key; then an unknown outcome is simply sent again."""

    async def send(self, notices: Sequence[Notice]) -> list[Outcome]:
        """Make one call and return the outcomes in the notices' order; the circuit breaker counts them."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcomes = await self._called(notices)
        except TimeoutError:
            outcomes = [OutcomeUnknown("no answer in time")] * len(notices)
        for outcome in outcomes:
            self._learn(outcome)
        return outcomes

    async def _called(self, notices: Sequence[Notice]) -> list[Outcome]:
        """Call the sender; a Failure raised for the call is the outcome of every notice."""
        try:
            if len(notices) > 1 and isinstance(self.sender, BulkSender):
                return [*await self.sender.send_many(notices)]
            return [await self.sender.send(notices[0])]
        except Failure as failure:
            return [failure] * len(notices)

    def _learn(self, outcome: Outcome) -> None:
        """Report an outcome to the circuit breaker; a refusal by the recipient counts as a working provider."""
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
    """Sends notices at the token bucket's rate through the first provider that takes them."""

    ways: tuple[Way, ...]
    """In order of preference."""
    bucket: Bucket
    room: Room = field(default_factory=lambda: Room(AT_ONCE))

    @property
    def deduplicates(self) -> bool:
        """Return whether a message of unknown outcome may be sent again without harm."""
        return all(provider.deduplicates for provider in self.ways)

    @property
    def bulk(self) -> bool:
        """Return whether equal bodies go in one call; not where each message must carry its own key."""
        return isinstance(self.ways[0].sender, BulkSender) and not self.deduplicates

    @property
    def full(self) -> bool:
        """Return whether only urgent notices are worth claiming: all others would be postponed."""
        return self.room.full or self.opens_at() is not None

    def later(self, notice: Notice) -> datetime | None:
        """Use a token and return None when the notice may go now, otherwise return when to try it again."""
        urgent = notice.kind in URGENT
        probe_at = self.opens_at()
        if probe_at is not None:
            return probe_at if urgent else max(probe_at, self.bucket.appointment())
        if self.room.full and not urgent:
            return self.bucket.now() + CROWDED
        if self.bucket.take():
            return None
        return self.bucket.soon() if urgent else self.bucket.appointment()

    def opens_at(self) -> datetime | None:
        """Return when the first provider may be probed; None while one of them can be used."""
        now = self.bucket.now()
        probes = [provider.breaker.probe_at for provider in self.ways]
        if any(at is None or at <= now for at in probes):
            return None
        return min(at for at in probes if at is not None)

    async def send(self, notices: Sequence[Notice]) -> list[Outcome | None]:
        """Return each notice's outcome; None for a notice that no provider was available for.

        A notice one provider refused goes to the next; one it may have taken is never sent again here.
        """
        outcomes: list[Outcome | None] = [None] * len(notices)
        remaining = list(range(len(notices)))
        for provider in self.ways:
            if remaining and provider.breaker.admits():
                results = await provider.send([notices[index] for index in remaining])
                outcomes = _merged(outcomes, remaining, results)
                remaining = [
                    index for index in remaining if isinstance(outcomes[index], TryLater | Misconfigured)
                ]
        return outcomes


def _merged(
    before: Sequence[Outcome | None], left: Sequence[int], tried: Sequence[Outcome]
) -> list[Outcome | None]:
    """Return the outcomes with the results of one call filled in at their indexes."""
    merged = list(before)
    for index, outcome in zip(left, tried, strict=True):
        merged[index] = outcome
    return merged
