"""Plays every dialog; `pytest tests/test_dialogs.py --rewrite` writes down the current output."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.dialogs.format import write
from gateway.publishing import pack_compiler
from tests.moves import Move, Pack
from tests.runs import PATHS, Runs, keep, kept, load, named, of_operator
from tests.world import CHANNELS

LEFT: Mapping[Move, str] = {
    ("none", "contest.lines"): "every bill of the demo world has lines",
    ("none", "invoice.users"): "every bill of the demo world has lines",
    ("already", "registration.begin"): "the address is validated on a page, which no dialog opens",
    ("ok", "registration.choose"): "the address is validated on a page, which no dialog opens",
}
"""Transitions that no dialog can make, and why."""
LEFT_BY_TEXT: Mapping[Move, str] = {
    (who, step): "by text a PIN is asked first, and who is left out gets none"
    for who in ("agency", "newcomer")
    for step in ("password.draft", "profile.email", "profile.invite")
}
CASES = [(operator, channel) for operator in pack_compiler.names() for channel in CHANNELS]


@pytest.mark.parametrize("path", PATHS, ids=named)
async def test_dialog_plays_as_written(path: Path, dialog_runs: Runs, request: pytest.FixtureRequest) -> None:
    dialog = load(path)
    written = write(dialog, (await dialog_runs.of(path)).brought)
    if request.config.getoption("--rewrite"):
        keep(path, written)
    assert written == kept(path)


async def walked(operator: str, channel: str, dialog_runs: Runs) -> set[Move]:
    """Return the transitions that an operator's dialogs make on a channel."""
    played = [await dialog_runs.of(path) for path in of_operator(operator)]
    return {(trigger, origin) for run in played for on, trigger, origin in run.fired if on == channel}


@pytest.mark.parametrize(("operator", "channel"), CASES)
async def test_every_move_of_every_pack_is_in_a_dialog(
    operator: str, channel: str, dialog_runs: Runs, record_property: Callable[[str, object], None]
) -> None:
    there, made = Pack.of(operator, channel).moves(), await walked(operator, channel, dialog_runs)
    record_property("walked", f"{operator} {channel}: {told(there, made)}")
    left = LEFT.keys() | (LEFT_BY_TEXT.keys() if channel == "sms" else set())
    assert there - made - left == set()
    assert not made & left


def told(there: set[Move], made: set[Move]) -> str:
    """Return the coverage as text: screens first, then the transitions from them."""
    places, been = {origin for _, origin in there}, {origin for _, origin in there & made}
    return f"{len(been)} of {len(places)} places, {len(there & made)} of {len(there)} moves"
