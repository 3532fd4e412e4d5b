"""Maintenance: the retention schedule runs at the start and once an hour."""

import pytest

from gateway.delivery.maintenance import CHAIN_INTERVAL_SECONDS, RETENTION_ROUNDS, is_retention_due


@pytest.mark.parametrize(
    ("round_number", "is_due"), [(0, True), (1, False), (719, False), (720, True), (721, False), (1440, True)]
)
def test_retention_runs_at_the_start_and_then_hourly(round_number: int, is_due: bool) -> None:  # noqa: FBT001
    assert is_retention_due(round_number) is is_due
    assert RETENTION_ROUNDS * CHAIN_INTERVAL_SECONDS == 3600
