"""A short soak test in every run; its time is mostly waiting, so a busy machine does not matter."""

import pytest

from tests.faults.soak import SoakRun
from tests.support.faults.harness import FaultHarness


@pytest.mark.postgres
async def test_F5_two_hundred_kills_lose_and_duplicate_nothing(harness: FaultHarness) -> None:
    soak = SoakRun(harness, kill_count=200, seed=20260314)
    verdict = await soak.run()
    assert verdict.is_exactly_once and verdict.accepted_count > 200
