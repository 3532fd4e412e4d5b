"""Retry policy: back-off schedule and outcome of a failed attempt, as pure functions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from flows.domain.failures import Failure, OptedOut, OutcomeUnknown, TryLater
from flows.domain.records import Errand, Notice, Parcel, Settlement

WAITS: Mapping[str, tuple[int, ...]] = {
    "code": (2, 5, 15),
    "reply": (2, 10, 30, 120),
    "notice": (10, 60, 300, 1800, 7200),
    "campaign": (60, 600, 3600),
    "errand": (2, 5, 15, 60, 300, 900, 3600),
}
"""Seconds before the second, third... attempt, by message class; after the last one the row is `dead`."""
RESENT_AFTER_UNKNOWN = frozenset({"notice"})
"""Classes re-sent, at most once, after an unknown first outcome; a code is never re-sent blindly."""
UNKNOWN_WAIT = timedelta(minutes=10)
"""How long to wait for a delivery receipt before re-sending after an unknown outcome."""


def kind(parcel: Parcel) -> str:
    """Return the row of the schedule for a claimed message: its message class, or `errand`."""
    return parcel.item.kind if isinstance(parcel.item, Notice) else "errand"


def settled(parcel: Parcel, failure: Failure, now: datetime, *, repeatable: bool = False) -> Settlement:
    """Return the outcome to record after a failed attempt: retry at a time, dead, expired or unknown.

    `repeatable`: the provider deduplicates by key, so an unknown outcome is retried like a failure.
    """
    reason = type(failure).__name__
    if isinstance(failure, OptedOut):
        return Settlement("opted_out", reason=reason)
    if isinstance(failure, OutcomeUnknown) and not repeatable:
        return _unknown(parcel, now, reason)
    if not (failure.again or isinstance(failure, OutcomeUnknown)):
        return Settlement("dead", reason=reason)
    return _again(parcel, failure, now, reason)


def lapsed(parcel: Parcel, now: datetime) -> Settlement:
    """Return the outcome to record for an attempt whose worker lost its lease: it is unknown."""
    return settled(replace(parcel, attempt=parcel.attempt - 1), OutcomeUnknown(), now)


def _again(parcel: Parcel, failure: Failure, now: datetime, reason: str) -> Settlement:
    waits = WAITS[kind(parcel)]
    if parcel.attempt > len(waits):
        return Settlement("dead", reason=reason)
    retry_after = failure.after_seconds if isinstance(failure, TryLater) else None
    next_at = now + timedelta(seconds=max(waits[parcel.attempt - 1], retry_after or 0))
    if _too_late(parcel, next_at):
        return Settlement("expired", reason=reason)
    return Settlement("again", again_at=next_at, reason=reason)


def _unknown(parcel: Parcel, now: datetime, reason: str) -> Settlement:
    resend = kind(parcel) in RESENT_AFTER_UNKNOWN and parcel.attempt == 1
    return Settlement("unknown", again_at=now + UNKNOWN_WAIT if resend else None, reason=reason)


def _too_late(parcel: Parcel, at: datetime) -> bool:
    item: Notice | Errand = parcel.item
    return item.expires_at is not None and at >= item.expires_at
