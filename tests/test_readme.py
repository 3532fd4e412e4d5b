"""The README: its console blocks are run as printed against a demo of their own."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo import Demo, demonstrating
from tests.services import until

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```console\n(.*?)```", re.S)
DIALOG = re.compile(r"```dialog\n(.*?)```", re.S)
CHANGING = re.compile(r"\d+")
"""Dates and codes differ from day to day; everything else must print as written."""


def blocks() -> list[str]:
    return BLOCK.findall((ROOT / "README.md").read_text())


def commands(block: str) -> str:
    return "\n".join(line[2:] for line in block.splitlines() if line.startswith("$ "))


def printed(block: str) -> str:
    """What follows the commands, numbers as N; an SMS may reach the other terminal's phone instead."""
    lines = [line for line in block.splitlines() if not line.startswith(("$ ", "sms to "))]
    return CHANGING.sub("N", "\n".join(lines)).strip()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demonstrating(tmp_path_factory.mktemp("demo")) as served:
        yield served


def test_every_console_block_prints_what_it_says(demo: Demo) -> None:
    folder, port = demo.folder, demo.port
    ran = ""
    for block in blocks():
        ran += commands(block).replace("8080", str(port)) + "\necho '=== next'\n"
    result = subprocess.run(["bash", "-eu", "-c", ran], cwd=folder, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    heard = result.stdout.split("=== next\n")
    assert [printed(output) for output in heard[:-1]] == [
        printed(block.replace("8080", str(port))) for block in blocks()
    ]


def test_every_conversation_it_shows_is_one_that_is_tested() -> None:
    tested = [path.read_text() for path in (ROOT / "tests" / "dialogs").rglob("*.dialog")]
    shown = DIALOG.findall((ROOT / "README.md").read_text())
    assert len(shown) >= 4 and all(any(talk in whole for whole in tested) for talk in shown)


def test_the_texted_password_brings_a_code_to_the_terminal(demo: Demo) -> None:
    until(lambda: "to ...0101: Orange: codul dvs. este" in demo.said, 10, "the code arrives")
