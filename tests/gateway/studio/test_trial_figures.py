"""Trial figures: shares of both sides, and when their difference is more than chance."""

import pytest

from flows.domain.pack_trials import TrialCounts
from gateway.publishing.pack_compiler import SHARED_PLACES, pack_folder
from gateway.studio.trial_figures import (
    SideShare,
    TrialVerdict,
    compare_outcomes,
    judge_difference,
    success_screens,
)
from menus.packs.loader import load_draft


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ((50, 99), (0, 5000), "too_few"),
        ((0, 100), (0, 100), "chance"),
        ((100, 100), (100, 100), "chance"),
        ((200, 1000), (236, 1000), "chance"),  # z = 1.949
        ((200, 1000), (237, 1000), "difference"),  # z = 2.002
        ((237, 1000), (200, 1000), "difference"),
        ((120, 100), (90, 100), "difference"),  # more ends than beginnings: some began before the trial
    ],
)
def test_a_difference_is_judged_by_the_test_of_two_proportions(
    one: tuple[int, int], other: tuple[int, int], verdict: TrialVerdict
) -> None:
    assert judge_difference(SideShare(*one), SideShare(*other)) == verdict


def test_successes_stand_before_failures_and_both_sides_beside_each_other() -> None:
    draft = load_draft(pack_folder("orange-ro"), SHARED_PLACES)
    success = sorted(success_screens(draft))[0]
    counts = {
        "published": TrialCounts(1000, {"house.sorry": 400, success: 200}),
        "trial": TrialCounts(100, {success: 40}),
    }
    first, second = compare_outcomes(counts, [draft])  # type: ignore[arg-type]
    assert (first.screen, first.is_success, first.verdict) == (success, True, "difference")
    assert (first.published.ratio, first.trial.ratio) == (0.2, 0.4)
    assert (second.screen, second.is_success, second.trial.reached) == ("house.sorry", False, 0)
