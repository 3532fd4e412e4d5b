"""Rejection limit: how many rejections a client address has, for how long, and how many are remembered."""

import pytest
from cachetools import FIFOCache

from gateway.http.rejection_limit import WINDOW_SECONDS, RejectionLimiter
from storage.sessions.counters import MemoryCounters


class SteppedClock:
    """A monotonic clock that moves only when a test says so."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def limiter(clock: SteppedClock) -> RejectionLimiter:
    return RejectionLimiter(2, MemoryCounters(clock), clock)


async def test_the_limit_blocks_until_its_window_ends(limiter: RejectionLimiter, clock: SteppedClock) -> None:
    await limiter.record_rejection("a")
    assert not limiter.is_blocked("a")
    await limiter.record_rejection("a")
    assert limiter.is_blocked("a") and not limiter.is_blocked("b")
    clock.seconds += WINDOW_SECONDS - 0.001
    assert limiter.is_blocked("a")
    clock.seconds += 0.001
    assert not limiter.is_blocked("a")


async def test_the_address_rejected_longest_ago_is_dropped_first(limiter: RejectionLimiter) -> None:
    limiter.recent_counts = FIFOCache(2)
    for source in ("a", "b", "a", "c"):
        await limiter.record_rejection(source)
    assert list(limiter.recent_counts) == ["a", "c"]
