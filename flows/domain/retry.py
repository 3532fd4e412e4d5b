"""Retry policy: back-off schedule, and when a failed message becomes a dead letter; pure functions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from flows.domain.failures import (
    Failure,
    Misconfigured,
    OptedOut,
    OutcomeUnknown,
    TryLater,
    Unavailable,
    Undelivered,
)
from flows.domain.records import ClaimedMessage, DeferredStep, DeliveryOutcome, OutboundMessage
from menus.text.masking import redact_text

WAITS_SECONDS: Mapping[str, tuple[int, ...]] = {
    "code": (2, 5, 15),
    "reply": (2, 10, 30, 120),
    "notice": (10, 60, 300, 1800, 7200),
    "ticket": (10, 60, 300, 1800, 7200, 21600, 43200, 86400, 86400),
    "campaign": (60, 600, 3600),
    "errand": (2, 5, 15, 60, 300, 900, 1800),
}
"""Seconds before the second, third... attempt, by message class; after the last one the row is `dead`.

A deferred step repeats the last wait until it expires, and so does a message that waits until its sender or
account is put right, or billing has the bill it carries: it was promised, and its recipient is not at fault.
"""
RESENDABLE_CLASSES = frozenset({"notice", "ticket"})
"""Classes re-sent, at most once, after an unknown first outcome; a code is never re-sent blindly."""
MAX_REASON_LENGTH = 160
"""Characters kept of what a provider said."""
RECEIPT_WAIT = timedelta(minutes=10)
"""How long to wait for a delivery receipt before re-sending after an unknown outcome."""


def schedule_class(message: ClaimedMessage) -> str:
    """Return the row of the schedule for a claimed message: its message class, or `errand`."""
    return message.item.kind if isinstance(message.item, OutboundMessage) else "errand"


def outcome_after_failure(
    message: ClaimedMessage, failure: Failure, now: datetime, *, repeatable: bool = False
) -> DeliveryOutcome:
    """Return the outcome to record after a failed attempt: retry at a time, dead, expired or unknown.

    It names the provider that failed. `repeatable`: the provider deduplicates by key, so an unknown outcome
    is retried like a failure.
    """
    outcome = _apply_policy(message, failure, now, repeatable=repeatable)
    return replace(outcome, provider=failure.provider) if isinstance(failure, Undelivered) else outcome


def _apply_policy(
    message: ClaimedMessage, failure: Failure, now: datetime, *, repeatable: bool
) -> DeliveryOutcome:
    reason = describe_failure(failure)
    if isinstance(failure, OptedOut):
        return DeliveryOutcome("opted_out", reason=reason)
    if isinstance(failure, OutcomeUnknown) and not repeatable:
        return _unknown_outcome(message, now, reason)
    if not (failure.is_retryable or isinstance(failure, OutcomeUnknown)):
        return DeliveryOutcome("dead", reason=reason)
    return _next_attempt(message, failure, now, reason)


def describe_failure(failure: Failure) -> str:
    """Return a failure's class and what the provider said (status, code), without numbers and addresses."""
    name, detail = type(failure).__name__, redact_text(str(failure))[:MAX_REASON_LENGTH]
    return name if detail == (type(failure).__doc__ or "").strip() else f"{name}: {detail}"


def outcome_after_lost_lease(message: ClaimedMessage, now: datetime) -> DeliveryOutcome:
    """Return the outcome to record for an attempt whose worker lost its lease: it is unknown."""
    return outcome_after_failure(replace(message, attempt=message.attempt - 1), OutcomeUnknown(), now)


def outcome_after_error(error: Exception) -> DeliveryOutcome:
    """Return the outcome to record after an unexpected error: the same would happen again."""
    return DeliveryOutcome("dead", reason=f"broke: {type(error).__name__}")


def _next_attempt(message: ClaimedMessage, failure: Failure, now: datetime, reason: str) -> DeliveryOutcome:
    waits = WAITS_SECONDS[schedule_class(message)]
    if message.attempt > len(waits) and not _repeats_until_expiry(message, failure):
        return DeliveryOutcome("dead", reason=reason)
    retry_after = failure.retry_after_seconds if isinstance(failure, TryLater) else None
    wait_seconds = waits[min(message.attempt, len(waits)) - 1]
    next_at = now + timedelta(seconds=max(wait_seconds, retry_after or 0))
    if _expires_before(message, next_at):
        return DeliveryOutcome("expired", reason=reason)
    return DeliveryOutcome("again", retry_at=next_at, reason=reason)


def _repeats_until_expiry(message: ClaimedMessage, failure: Failure) -> bool:
    """Return whether a message outlives its schedule; without an expiry none does."""
    waits_for_us = isinstance(failure, Misconfigured | Unavailable)
    is_promised = isinstance(message.item, DeferredStep) or waits_for_us
    return is_promised and message.item.expires_at is not None


def _unknown_outcome(message: ClaimedMessage, now: datetime, reason: str) -> DeliveryOutcome:
    resend = schedule_class(message) in RESENDABLE_CLASSES and message.attempt == 1
    return DeliveryOutcome("unknown", retry_at=now + RECEIPT_WAIT if resend else None, reason=reason)


def _expires_before(message: ClaimedMessage, at: datetime) -> bool:
    item: OutboundMessage | DeferredStep = message.item
    return item.expires_at is not None and at >= item.expires_at
