"""The command line: what commands print, and their exit status."""

import shutil
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.publishing import pack_compiler


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a folder without settings."""
    monkeypatch.chdir(tmp_path)


def test_without_settings_a_command_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["outbox", "list"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("public_url: Field required") and f"no dialtree.toml in {tmp_path}" in told


@pytest.mark.parametrize("words", ["list", "show 1", "replay 1", "purge --days 1"])
def test_the_outbox_of_the_demo_needs_no_settings(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["outbox", *words.split(), "--demo"]) in (0, 1)
    assert capsys.readouterr().err == ""


def test_one_finding_exits_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro")
    english = folder / "texts" / "en.yaml"
    english.write_text(english.read_text().replace("budget: Budget\n", ""))
    assert run_command(["check", str(folder)]) == 1
    assert capsys.readouterr().out.endswith("\n1 pack, 1 finding\n")
