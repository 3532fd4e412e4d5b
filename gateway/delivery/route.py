"""Outbound route of an operator: ordered providers with failover, rate limit and concurrency limit."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from flows.domain.circuit_breaker import CircuitBreaker
from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import (
    Failure,
    LinkBusy,
    Misconfigured,
    NotNow,
    OutcomeUnknown,
    TryLater,
    Undelivered,
)
from flows.domain.records import OutboundMessage
from gateway.delivery.token_bucket import TokenBucket
from gateway.providers.contract import Sender, SentMessage
from menus.text.gsm import count_segments

log = logging.getLogger("dialtree.delivery")
CALL_TIMEOUT_SECONDS = 9.0
"""Time limit of a provider call; past it the outcome is unknown."""
URGENT_KINDS = frozenset({"code", "reply"})
"""Message kinds a subscriber is waiting for: they may queue where others are postponed."""
BUSY_DELAY = timedelta(seconds=0.25)
"""Delay of a message that is postponed because the route is at its concurrency limit."""
DEFAULT_CONCURRENT_CALLS = 16
"""Concurrent calls to a provider whose sender names no limit of its own."""
MAX_WAITING_CALLS = 1_000
"""Calls that may wait for a place: as many as a worker holds messages, so that a claimed one is never shed."""
MAX_BULK_RECIPIENTS = 100
"""Most recipients of one bulk call."""

SendOutcome = SentMessage | Failure


@runtime_checkable
class BulkSender(Protocol):
    """A sender that takes one body for several numbers in one call."""

    async def send_many(self, notices: Sequence[OutboundMessage]) -> list[SentMessage | Undelivered]:
        """Send and return the outcomes in the notices' order; a raised Failure means that none was sent."""


@dataclass(slots=True)
class RouteProvider:
    """One provider of a route, behind its circuit breaker."""

    sender: Sender
    breaker: CircuitBreaker
    deduplicates: bool = False
    """Whether the provider sends a message once per key; then an unknown outcome is simply sent again."""

    async def send(self, notices: Sequence[OutboundMessage]) -> list[SendOutcome]:
        """Make one call and return the outcomes in the notices' order; the circuit breaker counts them."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                outcomes = await self._call_sender(notices)
        except TimeoutError:
            outcomes = [OutcomeUnknown("no answer in time")] * len(notices)
        for outcome in outcomes:
            self._update_breaker(outcome)
            if isinstance(outcome, Undelivered):
                outcome.provider = self.breaker.name.rpartition("/")[2]
        return outcomes

    async def _call_sender(self, notices: Sequence[OutboundMessage]) -> list[SendOutcome]:
        """Call the sender; a Failure raised for the call is the outcome of every notice."""
        try:
            if len(notices) > 1 and isinstance(self.sender, BulkSender):
                return [*await self.sender.send_many(notices)]
            return [await self.sender.send(notices[0])]
        except Failure as failure:
            return [failure] * len(notices)

    def _update_breaker(self, outcome: SendOutcome) -> None:
        """Report an outcome to the circuit breaker; a refusal by the recipient counts as a working provider."""
        if isinstance(outcome, TryLater) and outcome.retry_after_seconds:
            self.breaker.pause_for(outcome.retry_after_seconds)
        elif isinstance(outcome, Misconfigured):
            log.error("delivery.sender_refused", extra={"provider": self.breaker.name, "failure": str(outcome)})
            self.breaker.record_failure(at_once=True)
        elif isinstance(outcome, TryLater | OutcomeUnknown) and not isinstance(outcome, NotNow):
            self.breaker.record_failure()
        else:
            self.breaker.record_success()


def count_message(notice: OutboundMessage) -> int:
    """Return the cost of a message that goes whole: 1."""
    return 1


def count_sms_parts(notice: OutboundMessage) -> int:
    """Return the parts of an SMS: each is a message to the network, and a submit_sm over SMPP."""
    return count_segments(notice.body)


@dataclass(slots=True)
class OutboundRoute:
    """Sends notices at the token bucket's rate through the first provider that takes them."""

    providers: tuple[RouteProvider, ...]
    """In order of preference."""
    token_bucket: TokenBucket
    concurrency_limit: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(DEFAULT_CONCURRENT_CALLS, MAX_WAITING_CALLS)
    )

    count_cost: Callable[[OutboundMessage], int] = field(default=count_message)
    """Returns what a notice costs of the rate: an SMS its parts, as providers count them."""
    hold_until: Callable[[OutboundMessage], datetime | None] = field(default=lambda _notice: None)
    """Returns until when a notice is held, whatever the route could do; None for one that may go."""

    @property
    def deduplicates(self) -> bool:
        """Return whether a message of unknown outcome may be sent again without harm."""
        return all(provider.deduplicates for provider in self.providers)

    @property
    def supports_bulk(self) -> bool:
        """Return whether equal bodies go in one call; not where each message must carry its own key."""
        return isinstance(self.providers[0].sender, BulkSender) and not self.deduplicates

    @property
    def is_full(self) -> bool:
        """Return whether to claim urgent notices only (backpressure): all others would be postponed."""
        return self.is_busy or self.next_probe_at() is not None

    @property
    def is_busy(self) -> bool:
        """Return whether as many calls wait as run: notices that are not urgent are postponed."""
        return self.concurrency_limit.in_use >= 2 * self.concurrency_limit.max_running

    def reserve_or_delay(self, notice: OutboundMessage) -> datetime | None:
        """Use its tokens and return None when the notice may go now, otherwise return when to try it again."""
        if (held_until := self.hold_until(notice)) is not None:
            return held_until
        urgent, cost = notice.kind in URGENT_KINDS, self.count_cost(notice)
        probe_at = self.next_probe_at()
        if probe_at is not None:
            return probe_at if urgent else max(probe_at, self.token_bucket.book_slot(cost))
        if self.is_busy and not urgent:
            return self.token_bucket.now() + BUSY_DELAY
        if self.token_bucket.take_tokens(cost):
            return None
        return self.token_bucket.next_tokens_at(cost) if urgent else self.token_bucket.book_slot(cost)

    def next_probe_at(self) -> datetime | None:
        """Return when the first provider may be probed; None while one of them can be used."""
        now = self.token_bucket.now()
        probes = [provider.breaker.probe_at for provider in self.providers]
        if any(at is None or at <= now for at in probes):
            return None
        return min(at for at in probes if at is not None)

    async def send(self, notices: Sequence[OutboundMessage]) -> list[SendOutcome | None]:
        """Return each notice's outcome; None for a notice that no provider was available for.

        A notice one provider refused goes to the next; one it may have taken is never sent again here. One
        that a link did not even take counts as not attempted.
        """
        outcomes: list[SendOutcome | None] = [None] * len(notices)
        remaining = list(range(len(notices)))
        for provider in self.providers:
            if remaining and provider.breaker.allow_request():
                results = await provider.send([notices[index] for index in remaining])
                outcomes = _merge_outcomes(outcomes, remaining, results)
                remaining = [
                    index for index in remaining if isinstance(outcomes[index], TryLater | Misconfigured)
                ]
        return [None if isinstance(outcome, LinkBusy) else outcome for outcome in outcomes]


def _merge_outcomes(
    previous: Sequence[SendOutcome | None], indexes: Sequence[int], results: Sequence[SendOutcome]
) -> list[SendOutcome | None]:
    """Return the outcomes with the results of one call filled in at their indexes."""
    merged = list(previous)
    for index, outcome in zip(indexes, results, strict=True):
        merged[index] = outcome
    return merged
