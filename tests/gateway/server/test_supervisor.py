"""Supervisor back-off: doubled after each short run up to a limit, and short again after a stable one."""

import pytest

from gateway.server.supervisor import LONGEST_WAIT_SECONDS, STABLE_SECONDS, restart_wait_seconds


def test_waits_double_after_short_runs_up_to_the_longest() -> None:
    waits, wait = [], 0.0
    for _ in range(9):
        wait = restart_wait_seconds(wait, 1.0)
        waits.append(wait)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30] and waits[-1] == LONGEST_WAIT_SECONDS


@pytest.mark.parametrize(("ran_seconds", "wait"), [(STABLE_SECONDS, 30), (STABLE_SECONDS + 0.1, 0.5)])
def test_a_run_longer_than_the_stable_time_starts_the_waits_anew(ran_seconds: float, wait: float) -> None:
    assert restart_wait_seconds(16, ran_seconds) == wait
