"""The command line: what commands print, and their exit status."""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.publishing import pack_compiler

ROOT = Path(__file__).parents[3]


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
    assert "public_url" not in capsys.readouterr().err


def test_one_finding_exits_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro")
    english = folder / "texts" / "en.yaml"
    english.write_text(english.read_text().replace("budget: Budget\n", ""))
    assert run_command(["check", str(folder)]) == 1
    assert capsys.readouterr().out.endswith("\n1 pack, 1 finding\n")


def run_into_closed_pipe(command: str, keys: str, lines: int, folder: Path) -> tuple[int, list[str], str]:
    """Run a command whose reader leaves after some lines; return status, these lines and the errors."""
    reader, out = os.pipe()
    if not lines:
        os.close(reader)
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # less than any command here prints
        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 4096)
    words = [sys.executable, "-m", "gateway", *shlex.split(command)]
    with subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        os.close(out)
        read = read_lines(reader, lines) if lines else []
        _, errors = child.communicate(keys, timeout=60)
    return child.returncode, read, errors


def read_lines(reader: int, count: int) -> list[str]:
    with os.fdopen(reader) as stream:
        return [stream.readline() for _ in range(count)]


@pytest.mark.parametrize(
    ("command", "keys", "lines"),
    [
        ("dial *100# --language en", "1\n1\n1\n", ["Welcome to Orange!\n"]),
        ("check --schema", "", ["{\n"]),
        ("--version", "", []),
    ],
)
def test_a_reader_that_leaves_early_gets_no_trace(
    command: str, keys: str, lines: list[str], tmp_path: Path
) -> None:
    assert run_into_closed_pipe(command, keys, len(lines), tmp_path) == (1, lines, "")
