"""Walk: what it did not reach is listed until it is, and an unknown operator is named.

That a new pack gets dialogs which make every move and play as written is tested by following the guide of
`docs/adding/operator.md`.
"""

from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.dialogs.pack_walk import WalkResult, WrittenDialog
from gateway.dialogs.walk_files import read_unreached, write_walk
from gateway.publishing import pack_compiler


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
