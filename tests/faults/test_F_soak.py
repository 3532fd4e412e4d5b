"""A short soak test in every run; its time is mostly waiting, so a busy machine does not matter."""

import pytest

from tests.faults.soak import Soak
from tests.faults.stage import Stage


@pytest.mark.postgres
async def test_F5_two_hundred_kills_lose_and_duplicate_nothing(harness: Stage) -> None:
    soak = Soak(harness, kills=200, seed=20260314)
    verdict = await soak.run()
    assert verdict.spotless and verdict.accepted > 200
