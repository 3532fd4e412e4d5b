"""Console blocks of the README and of the pages in docs, run as printed against a demo."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.phone_page import PhonePage, open_phone_page
from tests.support.demo_process import DemoProcess, run_demo
from tests.support.server_processes import wait_until

ROOT = Path(__file__).parents[2]
CONSOLE_BLOCK = re.compile(r"```console\n(.*?)```", re.S)
DIALOG_BLOCK = re.compile(r"```dialog\n(.*?)```", re.S)
TABLE_ROW = re.compile(r"^\| (?:USSD|a call|SMS) \| `([^`]+)`.*?\|(.*)\| (.+) \|$", re.M)
"""A row of the table of journeys: what is dialled, the keys, and the last screen."""
PATIENCE_SECONDS = 120
NUMBER_PATTERN = re.compile(r"\d+")
"""Numbers that differ from day to day (dates, codes); the rest must print as written."""


PAGES_WITH_COMMANDS = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if CONSOLE_BLOCK.search(path.read_text()) and path.parent.name != "adding"
]
"""The guides of docs/adding change the tree; tests/docs/test_adding_guides.py runs them in a copy."""


def console_blocks(page: str) -> list[str]:
    return CONSOLE_BLOCK.findall((ROOT / page).read_text())


def block_commands(block: str) -> str:
    return "\n".join(line[2:] for line in block.splitlines() if line.startswith("$ "))


def block_output(block: str) -> str:
    """Return the output after the commands, numbers as N; an SMS may reach the other terminal's phone."""
    lines = [line for line in block.splitlines() if not line.startswith(("$ ", "sms to "))]
    return NUMBER_PATTERN.sub("N", "\n".join(lines)).strip()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with run_demo(tmp_path_factory.mktemp("demo")) as served:
        yield served


def test_readme_and_quickstart_have_console_blocks() -> None:
    assert {"README.md", "docs/quickstart.md"} <= set(PAGES_WITH_COMMANDS)


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS)
def test_every_console_block_prints_what_it_says(page: str, demo: DemoProcess) -> None:
    folder, port = demo.folder, demo.port
    ran = ""
    for block in console_blocks(page):
        ran += block_commands(block).replace("8080", str(port)) + "\necho '=== next'\n"
    command = ["bash", "-eu", "-c", ran]
    result = subprocess.run(
        command, cwd=folder, env=demo.environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    heard = result.stdout.split("=== next\n")
    assert [block_output(output) for output in heard[:-1]] == [
        block_output(block.replace("8080", str(port))) for block in console_blocks(page)
    ]


async def walk_row(page: PhonePage, begin: str, keys: list[str], shown: str) -> None:
    """Play one row, keyed in as printed, on a new phone."""
    await page.take_new_phone("+40740000101", "en")
    if begin.isalpha():
        await page.send_text(begin, shown)
        return
    for key in (begin, *keys):
        await page.send_line(key.replace("{code}", await page.read_code()) if "{code}" in key else key)
    await expect(page.element("screen")).to_contain_text(shown)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_quickstart_activates_on_three_channels_and_each_saved_test_passes(
    demo: DemoProcess, browser: Browser
) -> None:
    began, saved = time.monotonic(), list[str]()
    async with open_phone_page(browser, demo.url, "readme") as page:
        for begin, keys, shown in TABLE_ROW.findall((ROOT / "docs" / "quickstart.md").read_text()):
            await walk_row(page, begin, re.findall(r"`([^`]+)`", keys), shown)
            saved.append((await page.download_dialog(demo.folder)).name)
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert saved == ["orange-ro-ussd.dialog", "orange-ro-voice.dialog", "orange-ro-sms.dialog"]
    assert demo.run_command("dial", "--script", *saved).stderr.count(": passes") == 3


def test_every_conversation_shown_is_one_that_is_tested() -> None:
    tested = [path.read_text() for path in (ROOT / "tests" / "dialogs").rglob("*.dialog")]
    shown = DIALOG_BLOCK.findall((ROOT / "docs" / "conversations.md").read_text())
    assert len(shown) >= 4 and all(any(talk in whole for whole in tested) for talk in shown)


def test_the_texted_password_brings_a_code_to_the_terminal(demo: DemoProcess) -> None:
    blocks = console_blocks("docs/quickstart.md")
    addresses = next(block for block in blocks if "AT=" in block)
    (texted,) = [block for block in blocks if "ThankYou1" in block]
    commands = "\n".join(map(block_commands, dict.fromkeys([addresses, texted]))).replace(
        "8080", str(demo.port)
    )
    subprocess.run(
        ["bash", "-eu", "-c", commands], cwd=demo.folder, capture_output=True, timeout=60, check=True
    )
    wait_until(lambda: "to ...0101: Orange: codul dvs. este" in demo.output, 10, "the code arrives")
