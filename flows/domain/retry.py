"""Retry: what becomes of an attempt, as a pure function of its failure, its number and its message's class."""

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
"""Seconds before the second, third... attempt; after the last the row is dead."""
RESENT_AFTER_UNKNOWN = frozenset({"notice"})
"""Classes sent once more, at most, when the first outcome stayed unknown; a code is never re-sent blindly."""
UNKNOWN_WAIT = timedelta(minutes=10)
"""How long a receipt may still tell what became of it."""


def kind(parcel: Parcel) -> str:
    """The class of a parcel, as the tables name it."""
    return parcel.item.kind if isinstance(parcel.item, Notice) else "errand"


def settled(parcel: Parcel, failure: Failure, now: datetime, *, repeatable: bool = False) -> Settlement:
    """What to record after a failed attempt.

    `repeatable`: the provider takes a message once per key, so one of unknown outcome is sent again.
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
    """What to record of an attempt begun by a worker that fell silent: its outcome is unknown."""
    return settled(replace(parcel, attempt=parcel.attempt - 1), OutcomeUnknown(), now)


def _again(parcel: Parcel, failure: Failure, now: datetime, reason: str) -> Settlement:
    waits = WAITS[kind(parcel)]
    if parcel.attempt > len(waits):
        return Settlement("dead", reason=reason)
    asked = failure.after_seconds if isinstance(failure, TryLater) else None
    at = now + timedelta(seconds=max(waits[parcel.attempt - 1], asked or 0))
    if _too_late(parcel, at):
        return Settlement("expired", reason=reason)
    return Settlement("again", again_at=at, reason=reason)


def _unknown(parcel: Parcel, now: datetime, reason: str) -> Settlement:
    resend = kind(parcel) in RESENT_AFTER_UNKNOWN and parcel.attempt == 1
    return Settlement("unknown", again_at=now + UNKNOWN_WAIT if resend else None, reason=reason)


def _too_late(parcel: Parcel, at: datetime) -> bool:
    item: Notice | Errand = parcel.item
    return item.expires_at is not None and at >= item.expires_at
