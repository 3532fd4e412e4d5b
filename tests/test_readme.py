"""The README's console blocks, run as printed against a demo."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.chromium import Phone, holding
from tests.demo import Demo, demonstrating
from tests.services import until

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```console\n(.*?)```", re.S)
DIALOG = re.compile(r"```dialog\n(.*?)```", re.S)
ROW = re.compile(r"^\| (?:USSD|a call|SMS) \| `([^`]+)`.*?\|(.*)\| (.+) \|$", re.M)
"""A row of the table of journeys: what is dialled, the keys, and the last screen."""
PATIENCE_SECONDS = 120
CHANGING = re.compile(r"\d+")
"""Numbers that differ from day to day (dates, codes); the rest must print as written."""


def blocks() -> list[str]:
    return BLOCK.findall((ROOT / "README.md").read_text())


def commands(block: str) -> str:
    return "\n".join(line[2:] for line in block.splitlines() if line.startswith("$ "))


def printed(block: str) -> str:
    """Return the output after the commands, numbers as N; an SMS may reach the other terminal's phone."""
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


async def walk(page: Phone, begin: str, keys: list[str], shown: str) -> None:
    """Play one row, keyed in as printed, on a new phone."""
    await page.be("+40740000101", "en")
    if begin.isalpha():
        await page.text(begin, shown)
        return
    for key in (begin, *keys):
        await page.send(key.replace("{code}", await page.code()) if "{code}" in key else key)
    await expect(page.the("screen")).to_contain_text(shown)


@pytest.mark.asyncio(loop_scope="session")
async def test_its_walk_activates_on_three_channels_and_each_saved_test_passes(
    demo: Demo, browser: Browser
) -> None:
    began, saved = time.monotonic(), list[str]()
    async with holding(browser, demo.url, "readme") as page:
        for begin, keys, shown in ROW.findall((ROOT / "README.md").read_text()):
            await walk(page, begin, re.findall(r"`([^`]+)`", keys), shown)
            saved.append((await page.saved(demo.folder)).name)
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert saved == ["orange-ro-ussd.dialog", "orange-ro-voice.dialog", "orange-ro-sms.dialog"]
    assert demo.run("dial", "--script", *saved).stderr.count(": passes") == 3


def test_every_conversation_it_shows_is_one_that_is_tested() -> None:
    tested = [path.read_text() for path in (ROOT / "tests" / "dialogs").rglob("*.dialog")]
    shown = DIALOG.findall((ROOT / "README.md").read_text())
    assert len(shown) >= 4 and all(any(talk in whole for whole in tested) for talk in shown)


def test_the_texted_password_brings_a_code_to_the_terminal(demo: Demo) -> None:
    until(lambda: "to ...0101: Orange: codul dvs. este" in demo.said, 10, "the code arrives")
