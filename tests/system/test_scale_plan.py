"""Capacity planning: the documented arithmetic, and a simulated peak that loses a zone and no step."""

from dataclasses import replace

import pytest

from bench.scale_plan import BillingDay, MachineFigures, plan_deployment
from bench.scale_simulation import Peak, simulate_peak

SMALL_PEAK = Peak(steps_per_second=2_000, processes=6, step_cpu_seconds=1e-3, seconds=12, lost_at=3, back_at=9)
"""Two processors' worth of work for six processes in three zones."""


def test_a_hundred_million_subscribers_need_what_the_page_says() -> None:
    day = BillingDay()
    planned = plan_deployment(day, MachineFigures())
    assert (day.steps_per_second, day.open_sessions, round(day.notices_per_second)) == (31_250, 375_000, 2_315)
    assert (planned.processes, planned.redis_primaries, planned.outbox_partitions) == (18, 4, 1)
    assert (planned.session_megabytes, planned.outbox_gigabytes_a_day) == (207, 100)


def test_two_zones_that_must_stand_in_for_each_other_are_never_planned_above_half() -> None:
    planned = plan_deployment(BillingDay(), MachineFigures(), zones=2, utilisation=0.9)
    assert planned.processes * 0.5 >= 31_250 * MachineFigures().step_cpu_seconds


def test_every_step_is_answered_though_a_zone_is_lost() -> None:
    result = simulate_peak(SMALL_PEAK)
    assert result.answered == result.arrived > 23_000
    assert result.given_up == 0
    assert 0 < result.sent_again < 2_000 * SMALL_PEAK.detection_seconds
    assert result.percentile(0.5) < 0.01


def test_a_step_sent_again_waits_for_the_time_out_and_the_detection() -> None:
    worst = simulate_peak(SMALL_PEAK).percentile(1)
    assert SMALL_PEAK.timeout_seconds < worst < SMALL_PEAK.detection_seconds + 2 * SMALL_PEAK.timeout_seconds


def test_without_a_loss_nothing_is_sent_again() -> None:
    result = simulate_peak(replace(SMALL_PEAK, lost_at=99))
    assert (result.sent_again, result.answered) == (0, result.arrived)


def test_without_reserve_the_loss_is_seen_as_steps_given_up() -> None:
    result = simulate_peak(replace(SMALL_PEAK, processes=3, patience_seconds=2))
    assert result.given_up > 0
    assert result.answered + result.given_up == result.arrived


def test_the_same_seed_is_the_same_peak() -> None:
    assert simulate_peak(SMALL_PEAK) == simulate_peak(SMALL_PEAK) != simulate_peak(replace(SMALL_PEAK, seed=2))


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_nothing_answered_has_no_percentile(share: float) -> None:
    assert simulate_peak(replace(SMALL_PEAK, patience_seconds=0)).percentile(share) == float("inf")
