"""Walk: a pack nobody has written a dialog for gets dialogs that make every move, and play as written."""

import asyncio
import shutil
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.dialogs.format import format_dialog
from gateway.dialogs.pack_transitions import PackOnChannel, PackTransition
from gateway.dialogs.pack_walk import WalkResult, WrittenDialog
from gateway.dialogs.walk_files import read_existing_dialogs, read_unreached, write_walk
from gateway.publishing import pack_compiler
from tests.support.gateway_sandbox import SandboxFactory


def screens_size(operator: str) -> int:
    return (pack_compiler.pack_folder(operator) / "screens.yaml").stat().st_size


NEW_NAME, CHANNEL = "copy-tel", "ussd"
COPIED_OPERATOR = min(pack_compiler.shipped_operators(), key=screens_size)
"""The operator with the fewest screens: to walk more takes longer and shows no more."""


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Provide a folder of packs with a shipped operator under a new name."""
    root = tmp_path / "operators"
    pack = shutil.copytree(
        pack_compiler.pack_folder(COPIED_OPERATOR), pack_compiler.pack_folder(NEW_NAME, root)
    )
    config = pack / "pack.yaml"
    config.write_text(config.read_text().replace(f"name: {COPIED_OPERATOR}", f"name: {NEW_NAME}"))
    return root


async def play_dialogs(sandboxes: SandboxFactory, folder: Path) -> set[PackTransition]:
    """Play the dialogs of a folder, check that each goes as written, and return the moves they make."""
    moves = sandboxes.recorded_transitions(NEW_NAME)
    for dialog in read_existing_dialogs([folder], NEW_NAME):
        async with sandboxes.open_for(dialog) as sandbox:
            results = await sandbox.dialog_player(sandbox.direct_line(dialog.trust)).play(dialog)
        assert format_dialog(dialog, results) == "\n".join([*dialog.lines, ""])
    return {(trigger, origin) for channel, trigger, origin in moves.fired_transitions if channel == CHANNEL}


MOST_UNREACHED = 14
"""Moves the walk may list instead of making: they need a world the demo's people do not have, such as a bill
about to be debited, a promise to pay that was refused, or a phone whose codes are used up."""


async def test_a_sixth_operator_gets_dialogs_that_make_its_moves_or_lists_them(
    packs: Path, tmp_path: Path, sandboxes: SandboxFactory
) -> None:
    command = ["walk", NEW_NAME, "--channel", CHANNEL, "--packs", str(packs)]
    status = await asyncio.to_thread(run_command, command)
    folder = pack_compiler.pack_folder(NEW_NAME, packs) / "dialogs" / CHANNEL
    made = await play_dialogs(sandboxes.with_operators(packs, tmp_path), folder)
    wanted = PackOnChannel.load_pack(NEW_NAME, CHANNEL, str(packs)).walkable_transitions()
    unreached = read_unreached(folder)
    assert wanted - made == unreached and status == bool(unreached)
    assert len(unreached) <= MOST_UNREACHED


def test_what_was_not_reached_is_listed_until_it_is(tmp_path: Path) -> None:
    found = [WrittenDialog("subscriber", "operator copy-tel\nat 2026-03-10 09:00\n")]
    wanted = {("ussd 1", "home"), ("many", "code.request")}
    write_walk(WalkResult(found, wanted, {("ussd 1", "home")}), tmp_path)
    assert read_unreached(tmp_path) == {("ussd 1", "home")}
    write_walk(WalkResult(found, wanted, set()), tmp_path)
    assert read_unreached(tmp_path) == set()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["coverage-subscriber-1.dialog", "coverage-subscriber-2.dialog"]


def test_an_unknown_operator_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["walk", "nobody"]) == 2
    known = ", ".join(pack_compiler.shipped_operators())
    assert capsys.readouterr().err == f"no operator 'nobody'; write one of: {known}\n"
