"""Retry policy: every message class against every failure, as a table of seconds."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest

from flows.domain.failures import (
    Down,
    Failure,
    Misconfigured,
    NotNow,
    OptedOut,
    OutcomeUnknown,
    Overloaded,
    Rejected,
    TryLater,
)
from flows.domain.records import ClaimedMessage, DeferredStep, MessageClass, OutboundMessage
from flows.domain.retry import WAITS_SECONDS, describe_failure, outcome_after_failure, outcome_after_lost_lease
from tests.support.databases import NOW

CLASSES: tuple[MessageClass, ...] = get_args(MessageClass)


def claimed_message(kind: str, attempt: int = 1, expires_at: datetime | None = None) -> ClaimedMessage:
    item: OutboundMessage | DeferredStep = DeferredStep(
        "k", "orange-ro", "s", b"{}", expires_at or NOW + timedelta(days=2)
    )
    if kind != "errand":
        name: MessageClass = next(each for each in CLASSES if each == kind)
        item = OutboundMessage("k", "orange-ro", "+40740000101", "sms", name, "b", "ro", expires_at=expires_at)
    return ClaimedMessage(1, 1, attempt, item, NOW)


def retry_decision(kind: str, failure: Failure, attempt: int, **how: bool) -> tuple[str, float | None]:
    """Return the state and the seconds until the next attempt."""
    settlement = outcome_after_failure(claimed_message(kind, attempt), failure, NOW, **how)
    return settlement.state, (settlement.retry_at - NOW).total_seconds() if settlement.retry_at else None


TABLE: list[tuple[Failure, str, list[tuple[str, float | None]]]] = [
    (TryLater(), "code", [("again", 2), ("again", 5), ("again", 15), ("dead", None)]),
    (TryLater(), "reply", [("again", 2), ("again", 10), ("again", 30), ("again", 120), ("dead", None)]),
    (NotNow(), "campaign", [("again", 60), ("again", 600), ("again", 3600), ("dead", None)]),
    (Misconfigured(), "code", [("again", 2), ("again", 5), ("again", 15), ("dead", None)]),
    (Down(), "errand", [("again", 2), ("again", 5), ("again", 15), ("again", 60), ("again", 300)]),
    (Overloaded(), "notice", [("again", 10), ("again", 60), ("again", 300), ("again", 1800), ("again", 7200)]),
    (TryLater("", 30), "code", [("again", 30), ("again", 30), ("again", 30), ("dead", None)]),
    (TryLater("", 30), "notice", [("again", 30), ("again", 60)]),
    (Rejected(), "notice", [("dead", None)]),
    (OptedOut(), "campaign", [("opted_out", None)]),
    (OutcomeUnknown(), "code", [("unknown", None), ("unknown", None)]),
    (OutcomeUnknown(), "reply", [("unknown", None)]),
    (OutcomeUnknown(), "campaign", [("unknown", None)]),
    (OutcomeUnknown(), "notice", [("unknown", 600), ("unknown", None)]),
]


@pytest.mark.parametrize(
    ("failure", "kind", "ends"), TABLE, ids=lambda each: getattr(each, "__class__", each).__name__
)
def test_every_attempt_ends_as_the_table_says(
    failure: Failure, kind: str, ends: list[tuple[str, float | None]]
) -> None:
    assert [retry_decision(kind, failure, attempt) for attempt in range(1, len(ends) + 1)] == ends


@pytest.mark.parametrize("kind", CLASSES)
def test_a_deduplicating_provider_gets_an_unknown_send_again(kind: MessageClass) -> None:
    assert retry_decision(kind, OutcomeUnknown(), 1, repeatable=True) == ("again", WAITS_SECONDS[kind][0])


@pytest.mark.parametrize("kind", WAITS_SECONDS)
def test_a_message_past_its_expiry_expires(kind: str) -> None:
    short = claimed_message(kind, expires_at=NOW + timedelta(seconds=1))
    assert outcome_after_failure(short, TryLater(), NOW).state == "expired"


@pytest.mark.parametrize(
    ("kind", "attempt", "comes_again"), [("code", 2, 0), ("notice", 2, 1), ("notice", 3, 0)]
)
def test_a_send_begun_by_a_lost_worker_is_unknown(kind: str, attempt: int, comes_again: int) -> None:
    settlement = outcome_after_lost_lease(replace(claimed_message(kind, attempt), lease_expired=True), NOW)
    assert (settlement.state, settlement.retry_at is not None) == ("unknown", bool(comes_again))


def test_every_retry_schedule_of_a_message_ends() -> None:
    assert all(
        retry_decision(kind, TryLater(), len(WAITS_SECONDS[kind]) + 1) == ("dead", None) for kind in CLASSES
    )


def attempts_until_expiry(kind: str, failure: Failure, hours: int) -> tuple[list[float], str]:
    """Return the hours after which each attempt is made, and the state in the end."""
    expires_at, now, hours_at = NOW + timedelta(hours=hours), NOW, [0.0]
    while True:
        message = claimed_message(kind, len(hours_at), expires_at)
        outcome = outcome_after_failure(message, failure, now)
        if outcome.retry_at is None:
            return hours_at, outcome.state
        now = outcome.retry_at
        hours_at.append((now - NOW) / timedelta(hours=1))


@pytest.mark.parametrize(("kind", "failure"), [("errand", Down()), ("notice", Misconfigured())])
def test_what_was_promised_is_tried_until_it_expires(kind: str, failure: Failure) -> None:
    hours_at, state = attempts_until_expiry(kind, failure, 24)
    assert state == "expired" and hours_at[-1] > 21
    assert kind == "notice" or max(after - at for at, after in pairwise(hours_at)) < 0.51


def test_the_reason_is_kept_with_what_the_provider_said_and_without_numbers() -> None:
    assert describe_failure(Misconfigured("status 405 InsufficientBalance")) == (
        "Misconfigured: status 405 InsufficientBalance"
    )
    assert "40740000101" not in describe_failure(TryLater("HTTP 500 for +40740000101"))
    assert describe_failure(OutcomeUnknown()) == "OutcomeUnknown"
