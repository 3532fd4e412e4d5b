"""Floods at real gateway processes: short runs of `spray_pins` and `slow_sockets`, which take more."""

import pytest

from tests.security.slow_sockets import measure
from tests.security.spray_pins import spray
from tests.support.faults.harness import FaultHarness

GENEROUS_SECONDS = 2.5
"""Far above what is measured: it only shows that nobody waits for the slow ones' five seconds."""
pytestmark = pytest.mark.postgres


@pytest.mark.redis
async def test_T10_T11_spraying_over_two_processes_raises_one_alarm_and_leaves_the_owner_in(
    harness: FaultHarness, redis_url: str
) -> None:
    verdict = await spray(harness, redis_url, 400)
    assert verdict.is_held, verdict


async def test_T25_good_requests_are_answered_beside_two_hundred_slow_sockets(harness: FaultHarness) -> None:
    verdict = await measure(harness, 200, request_count=60)
    assert verdict.beside < GENEROUS_SECONDS, verdict
