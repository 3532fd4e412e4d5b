"""The browser phone on edited packs: recordings are played; edits are hot-reloaded or refused."""

import asyncio
import math
import re
import shutil
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from gateway.publishing import pack_compiler
from tests.browser.phone_page import file_name_of, open_phone_page, serve_demo
from tests.support.demo_process import DemoProcess, run_demo
from tests.support.server_processes import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")
ANA = "+40740000101"
SAMPLE_RATE = 8000
WAIT_FOR_PLAYBACK = """() => new Promise((heard) => {
    const recording = document.getElementById("recording");
    if (recording.ended) heard(recording.duration);
    recording.addEventListener("ended", () => heard(recording.duration));
})"""
"""Duration of the recording, once it has been played to its end."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with one pack that may be edited."""
    shutil.copytree(
        pack_compiler.pack_folder("orange-ro"), pack_compiler.pack_folder("orange-ro", tmp_path / "packs")
    )
    return tmp_path / "packs"


def write_tone(path: Path) -> None:
    """Write a tenth of a second of 440 Hz in telephone quality."""
    path.parent.mkdir(parents=True)
    samples = (round(9000 * math.sin(math.tau * 440 * at / SAMPLE_RATE)) for at in range(SAMPLE_RATE // 10))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


async def test_a_recording_is_played_and_its_words_are_shown(
    root: Path, browser: Browser, request: pytest.FixtureRequest
) -> None:
    write_tone(pack_compiler.pack_folder("orange-ro", root) / "prompts" / "ro" / "home.wav")
    async with (
        serve_demo(pack_compiler.compile_pack, root) as demo_site,
        open_phone_page(browser, demo_site.url, file_name_of(request)) as page,
    ):
        await page.take_new_phone(ANA, "en")
        await page.enter_line("411", "Pentru facturi, apăsați 1.")
        await expect(page.page.locator("#screen .recorded")).to_have_text("Bine ați venit la Orange.")
        async with asyncio.timeout(10):
            assert await page.page.evaluate(WAIT_FOR_PLAYBACK) == pytest.approx(0.1, abs=0.05)
        await expect(page.element("wire")).to_contain_text("/prompts/orange-ro/ro/home.wav</Play>")
        await expect(page.element("dialog")).to_contain_text("| Bine ați venit la Orange.")


@pytest.fixture
def served(root: Path, tmp_path: Path) -> Iterator[DemoProcess]:
    """Run `dialtree demo --packs` on that folder."""
    with run_demo(tmp_path, "--packs", "packs") as demo:
        yield demo


def printed_line(demo: DemoProcess, words: str) -> str:
    """Wait for the demo to print a line that begins with these words and return it."""
    found: list[str] = []

    def printed() -> bool:
        found[:] = [line for line in demo.output.splitlines() if line.startswith(words)]
        return bool(found)

    wait_until(printed, 15, f"the demo says {words!r}")
    return found[0]


async def test_an_edit_that_overflows_is_refused_where_it_stands_and_a_fixed_one_is_served(
    root: Path, served: DemoProcess, browser: Browser, request: pytest.FixtureRequest
) -> None:
    texts = pack_compiler.pack_folder("orange-ro", root) / "texts" / "en.yaml"
    whole = texts.read_text()
    async with open_phone_page(browser, served.url, file_name_of(request)) as page:
        await page.take_new_phone(ANA, "en")
        await page.enter_line("*100#", "Welcome to Orange!")
        texts.write_text(whole.replace("budget.bill_option: Bill", f"budget.bill_option: {'Bill' * 60}"))
        await expect(page.element("pack")).to_contain_text("orange_ro/texts/en.yaml:9:21: ", timeout=15_000)
        shown = await page.element("pack").inner_text()
        assert printed_line(served, "orange_ro/texts/en.yaml:9:21: budget") in shown
        await page.enter_line("1", "1 Bill\n")
        texts.write_text(whole.replace("budget: Budget", "budget: My budget"))
        await expect(page.element("pack")).to_have_text(re.compile("is served"), timeout=15_000)
        printed_line(served, "orange-ro: revision ")
        await page.enter_line("0", "Welcome to Orange!")
        await page.enter_line("1", "Budget")
        await expect(page.element("screen")).not_to_contain_text("My budget")
        await page.element("hang").click()
        await page.enter_line("*100*1#", "My budget")
