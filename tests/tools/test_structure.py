"""Structure figures: what one USSD key passes through stays within its limits, and the figures are printed."""

import pytest

from tools import structure

MAX_FILES, MAX_CROSSINGS = 48, 113
"""What one key may cost in files and in calls from file to file; three keep the turn for the help desk."""
FOREIGN_FILES = {"flows/engine/sms_turn.py", "flows/engine/opt_out.py", "menus/machine/opening_hours.py"}
"""Files that a USSD key has no business in."""


async def test_one_ussd_key_passes_few_files_and_none_of_another_channel() -> None:
    trace = await structure.trace_ussd_key()
    assert {"gateway/http/webhooks.py", "menus/step.py", "storage/sessions/memory_store.py"} <= trace.files
    assert not trace.files & FOREIGN_FILES
    assert len(trace.files) <= MAX_FILES
    assert trace.crossings.total() <= MAX_CROSSINGS


def test_the_figures_of_a_layer_count_its_packages_and_their_imports() -> None:
    figures = structure.layer_figures("flows")
    assert 4 <= figures.packages <= 8
    assert 0 < figures.package_imports <= 20
    assert figures.lines > figures.modules > figures.packages


def test_public_names_are_those_of_functions_methods_and_classes() -> None:
    names = structure.public_names()
    assert {"CallCoalescer", "submit", "run_turn"} <= set(names)
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize("name", ["gateway", "storage", "flows", "menus"])
def test_every_layer_has_figures(name: str) -> None:
    assert structure.layer_figures(name).modules > 40
