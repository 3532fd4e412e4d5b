"""Token bucket: what a message costs, the debt of a long one, the time a queue is spread over."""

from datetime import UTC, datetime, timedelta

import pytest

from flows.domain.records import OutboundMessage
from gateway.delivery.route import count_message, count_sms_parts
from gateway.delivery.token_bucket import TokenBucket
from gateway.dialogs.player import ManualClock

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


def notice_of(septets: int) -> OutboundMessage:
    return OutboundMessage("k", "orange-ro", "+40740000101", "sms", "notice", "a" * septets, "ro")


def test_a_second_holds_as_many_tokens_as_the_rate(clock: ManualClock) -> None:
    bucket = TokenBucket(5, clock)
    assert [bucket.take_tokens(cost) for cost in (3, 2, 1)] == [True, True, False]
    clock.advance(timedelta(seconds=0.4))
    assert [bucket.take_tokens(2), bucket.take_tokens()] == [True, False]


def test_a_message_that_costs_more_than_a_second_goes_when_full_and_is_paid_for(clock: ManualClock) -> None:
    bucket = TokenBucket(2, clock)
    assert bucket.take_tokens(6) and not bucket.take_tokens()
    clock.advance(timedelta(seconds=2))
    assert not bucket.take_tokens()
    clock.advance(timedelta(seconds=0.5))
    assert bucket.take_tokens()


def test_a_queue_is_spread_over_the_time_its_parts_take(clock: ManualClock) -> None:
    bucket = TokenBucket(2, clock)
    assert [(bucket.book_slot(cost) - NOON).total_seconds() for cost in (3, 1)] == [1.5, 2.0]
    assert (bucket.next_tokens_at(4) - NOON).total_seconds() == 2.0


def test_without_a_rate_nothing_waits(clock: ManualClock) -> None:
    bucket = TokenBucket(0, clock)
    assert all(bucket.take_tokens(9) for _ in range(1_000))


@pytest.mark.parametrize(("septets", "parts"), [(0, 1), (160, 1), (161, 2), (306, 2), (307, 3)])
def test_an_sms_costs_its_parts_and_another_message_one(septets: int, parts: int) -> None:
    assert (count_sms_parts(notice_of(septets)), count_message(notice_of(septets))) == (parts, 1)
