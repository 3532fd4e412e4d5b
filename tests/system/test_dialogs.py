"""Plays every dialog; `pytest tests/system/test_dialogs.py --rewrite` writes down the current output."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.dialogs.format import format_dialog
from gateway.dialogs.pack_transitions import WALLET_MOVES, PackOnChannel, PackTransition
from gateway.dialogs.walk_files import read_unreached
from gateway.publishing import pack_compiler
from tests.support.dialog_runs import (
    DIALOG_FOLDER,
    DIALOG_PATHS,
    DialogRuns,
    dialog_name,
    load_dialog,
    paths_of_operator,
    read_dialog_text,
    write_dialog_text,
)
from tests.support.gateway_sandbox import CHANNELS

CASES = [(operator, channel) for operator in pack_compiler.shipped_operators() for channel in CHANNELS]


@pytest.mark.parametrize("path", DIALOG_PATHS, ids=dialog_name)
async def test_dialog_plays_as_written(
    path: Path, dialog_runs: DialogRuns, request: pytest.FixtureRequest
) -> None:
    dialog = load_dialog(path)
    written = format_dialog(dialog, (await dialog_runs.play_once(path)).transcript)
    if request.config.getoption("--rewrite"):
        write_dialog_text(path, written)
    assert written == read_dialog_text(path)


async def transitions_made(operator: str, channel: str, dialog_runs: DialogRuns) -> set[PackTransition]:
    """Return the transitions that an operator's dialogs make on a channel."""
    played = [await dialog_runs.play_once(path) for path in paths_of_operator(operator)]
    return {
        (trigger, origin) for run in played for on, trigger, origin in run.fired_transitions if on == channel
    }


@pytest.mark.parametrize(("operator", "channel"), CASES)
async def test_every_move_of_every_pack_is_in_a_dialog(
    operator: str, channel: str, dialog_runs: DialogRuns, record_property: Callable[[str, object], None]
) -> None:
    pack = PackOnChannel.load_pack(operator, channel)
    there, made = pack.reachable_transitions(), await transitions_made(operator, channel, dialog_runs)
    record_property("walked", f"{operator} {channel}: {coverage_summary(there, made)}")
    folders = (pack.pack_draft.folder / "dialogs", DIALOG_FOLDER / operator)
    left = pack.unwalkable_transitions().union(*(read_unreached(folder / channel) for folder in folders))
    left |= set() if any(load_dialog(path).wallet for path in paths_of_operator(operator)) else WALLET_MOVES
    assert there - made - left == set()
    assert not made & left


def coverage_summary(there: set[PackTransition], made: set[PackTransition]) -> str:
    """Return the coverage as text: screens first, then the transitions from them."""
    places, been = {origin for _, origin in there}, {origin for _, origin in there & made}
    return f"{len(been)} of {len(places)} places, {len(there & made)} of {len(there)} moves"
