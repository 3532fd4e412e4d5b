"""A real Chromium on the browser phone's page; any console error or page error fails the test."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from gateway.demo.world import OPERATOR
from gateway.http.listening import listening
from gateway.phone.lifecycle import phone
from gateway.phone.routes import PhoneSite
from gateway.providers.discovery import discover
from gateway.publishing import pack_compiler
from gateway.server.app import public
from gateway.settings import load
from gateway.wiring.container import house
from menus.machine.menu import Menu
from tests.world import Worlds, replayed

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

BASE: dict[str, Any] = {
    "demo": True,
    "host": "127.0.0.1",
    "public_url": "http://127.0.0.1:8080",
    "secret_key": "a key for the tests and nothing else",
    "database_url": "sqlite://",
}


CODE = re.compile(r"\b\d{6}\b")
PICTURES = Path(os.environ.get("PICTURES") or Path(__file__).parent.parent / "var" / "pictures")
"""Folder that receives a screenshot at the end of each test (environment variable PICTURES)."""


@dataclass(slots=True)
class Phone:
    """The phone page, driven as a person would use it."""

    page: Page = field(repr=False)
    url: str
    said: list[str] = field(default_factory=list)
    """Console messages and page errors of the browser."""

    def the(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    async def visit(self) -> None:
        await self.page.goto(f"{self.url}/phone")
        await self.page.wait_for_selector("body[data-turn]")

    async def be(self, person: str, language: str) -> None:
        """Take a new phone as a demo subscriber, in a language."""
        await self.the("person").select_option(person)
        await self.the("language").select_option(language)
        held = await self.page.get_attribute("body", "data-phone")
        await self.page.click("text=New phone")
        await expect(self.page.locator("body")).not_to_have_attribute("data-phone", held or "")
        await expect(self.the("dialog")).to_contain_text(f"from {person}\nlanguage {language}")

    async def enter(self, typed: str, shown: str) -> None:
        """Type into the phone's line and wait until the screen shows the expected text."""
        await self.the("line").fill(typed)
        await self.the("go").click()
        await expect(self.the("screen")).to_contain_text(shown)

    async def send(self, typed: str) -> None:
        """Type into the phone's line and wait for the next turn, whatever it shows."""
        turn = await self.page.get_attribute("body", "data-turn")
        await self.enter(typed, "")
        await expect(self.page.locator("body")).not_to_have_attribute("data-turn", turn or "")

    async def spoil(self, what: str, state: str) -> None:
        """Press a fault switch and wait until it has taken effect."""
        await self.page.click(f"[data-spoil={what}][data-state={state}]")
        await expect(self.the("dialog")).to_contain_text(re.compile(rf"{what} (up|{state})\n*$"))

    async def press(self, key: str, shown: str) -> None:
        await self.page.click(f"#keypad button:text-is('{key}')")
        await expect(self.the("screen")).to_contain_text(shown)

    async def text(self, body: str, shown: str) -> None:
        await self.the("body").fill(body)
        await self.page.click("#texting button")
        await expect(self.the("thread")).to_contain_text(shown)

    async def code(self) -> str:
        """Return the one-time code in the messages, once it has arrived."""
        await expect(self.the("thread")).to_contain_text(CODE)
        (code,) = CODE.findall(await self.the("thread").inner_text())
        return str(code)

    async def saved(self, folder: Path) -> Path:
        """Download what "Save as test" offers and return its path, with the proposed file name."""
        async with self.page.expect_download() as download:
            await self.the("save").click()
        path = folder / (await download.value).suggested_filename
        await (await download.value).save_as(path)
        return path

    async def passes(self, sandboxes: Worlds) -> str:
        """Download what "Save as test" offers, check that it passes when replayed, and return its text."""
        text = (await self.saved(PICTURES)).read_text(encoding="utf-8")
        assert await replayed(sandboxes, text) == text
        return text


@asynccontextmanager
async def browsing(chromium: str) -> AsyncIterator[Browser]:
    """Run a headless browser for the duration of the block."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        yield browser
        await browser.close()


@asynccontextmanager
async def holding(browser: Browser, url: str, name: str) -> AsyncIterator[Phone]:
    """Open the phone in a fresh page; take a screenshot at the end and fail on console errors."""
    opened = Phone(await browser.new_page(), url)
    opened.page.on("console", lambda told: opened.said.append(told.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    await opened.visit()
    yield opened
    await opened.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    await opened.page.close()
    assert not opened.said


@dataclass(slots=True)
class Show:
    """A running demo with its URL and phone site."""

    url: str
    site: PhoneSite = field(repr=False)


@asynccontextmanager
async def showing(menu: Callable[[Path], Menu], root: Path = pack_compiler.OPERATORS) -> AsyncIterator[Show]:
    """Serve a demo of the packs in a folder for the duration of the block."""
    operators = {name: dict(OPERATOR) for name in pack_compiler.names(root)}
    settings = load(discover(), Path("no such file"), {}, {**BASE, "operators": operators})
    async with house(settings, root, load=menu) as built, phone(built, root) as site:
        app = public(built)
        site.mount(app)
        async with listening(app, "127.0.0.1", 0) as port:
            yield Show(f"http://127.0.0.1:{port}", site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """Provide one browser for the whole run."""
    async with browsing(chromium) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo_site(sandboxes: Worlds) -> AsyncIterator[Show]:
    """Provide one demo for all browser tests; each test takes a phone of its own."""
    async with showing(sandboxes.menu) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, demo_site: Show, request: pytest.FixtureRequest) -> AsyncIterator[Phone]:
    """Provide the phone in a fresh page."""
    async with holding(browser, demo_site.url, called(request)) as opened:
        yield opened


def called(request: pytest.FixtureRequest) -> str:
    """Return a test's name as a file name."""
    return re.sub(r"[^\w-]+", "-", request.node.name.removeprefix("test_")).strip("-")
