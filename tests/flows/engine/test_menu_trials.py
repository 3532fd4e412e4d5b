"""Menu trials: who is on which side, and that conversations under way stay where they are."""

from dataclasses import replace

import pytest

from flows.domain.pack_trials import choose_side
from flows.engine.menu_versions import MenuTrial, MenuVersions
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

CALLERS = [f"{number:064x}" for number in range(10_000)]


@pytest.mark.parametrize("share", [1, 10, 50])
def test_the_share_of_callers_is_kept(share: int) -> None:
    taken = sum(choose_side(7, share, caller) == "trial" for caller in CALLERS)
    assert abs(taken / len(CALLERS) - share / 100) < 0.015


def test_a_caller_is_on_the_same_side_each_time_and_trials_differ() -> None:
    first = [choose_side(7, 50, caller) for caller in CALLERS]
    assert first == [choose_side(7, 50, caller) for caller in CALLERS]
    same = sum(one == choose_side(8, 50, caller) for one, caller in zip(first, CALLERS, strict=True))
    assert 0.45 < same / len(CALLERS) < 0.55


def test_a_withheld_number_gets_what_is_published() -> None:
    assert {choose_side(trial_id, 50, "") for trial_id in range(100)} == {"published"}


@pytest.fixture
def menu_versions(sandbox: GatewaySandbox) -> MenuVersions:
    return sandbox.container.menu_versions


def test_the_current_menu_stays_and_the_trial_outlives_edits_of_the_folder(
    menu_versions: MenuVersions,
) -> None:
    current = menu_versions.current_menu(OPERATOR)
    tried = replace(current, revision="tried")
    menu_versions.begin_trial(MenuTrial(7, tried, 50))
    assert menu_versions.current_menu(OPERATOR) is current
    for number in range(menu_versions.max_revisions):
        menu_versions.publish(replace(current, revision=f"edit {number}"))
    shown = {menu_versions.menu_for_caller(OPERATOR, caller).revision for caller in CALLERS[:100]}
    assert shown == {"tried", f"edit {menu_versions.max_revisions - 1}"}
    assert menu_versions.find_revision(OPERATOR, "tried") is not None
    menu_versions.end_trial(OPERATOR)
    assert menu_versions.menu_for_caller(OPERATOR, CALLERS[0]).revision != "tried"
    assert all(menu_versions.menu_for_caller(OPERATOR, caller).revision != "tried" for caller in CALLERS[:100])
