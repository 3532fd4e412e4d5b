"""A real browser on the phone's page: every complaint of its console fails the test."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from gateway import packs
from gateway.app import listening, public
from gateway.demo import OPERATOR
from gateway.phone.opening import phone
from gateway.phone.site import PhoneSite
from gateway.providers import discover
from gateway.settings import load
from gateway.wiring import house
from menus.menu import Menu
from tests.world import Worlds

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
    "operators": {name: dict(OPERATOR) for name in packs.names()},
}


@dataclass(slots=True)
class Phone:
    """The page, as a person uses it."""

    page: Page = field(repr=False)
    url: str
    site: PhoneSite = field(repr=False)
    said: list[str] = field(default_factory=list)
    """What the browser complained of."""

    def the(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    async def visit(self) -> None:
        await self.page.goto(f"{self.url}/phone")
        await self.page.wait_for_selector("body[data-turn]")

    async def be(self, person: str, language: str) -> None:
        """Take a new phone in hand."""
        await self.the("person").select_option(person)
        await self.the("language").select_option(language)
        await self.page.click("text=New phone")
        await expect(self.the("dialog")).to_contain_text(f"from {person}\nlanguage {language}")

    async def enter(self, typed: str, shown: str) -> None:
        """Type into the phone's line, and wait for what must come."""
        await self.the("line").fill(typed)
        await self.the("go").click()
        await expect(self.the("screen")).to_contain_text(shown)

    async def press(self, key: str, shown: str) -> None:
        await self.page.click(f"#keypad button:text-is('{key}')")
        await expect(self.the("screen")).to_contain_text(shown)

    async def text(self, body: str, shown: str) -> None:
        await self.the("body").fill(body)
        await self.page.click("#texting button")
        await expect(self.the("thread")).to_contain_text(shown)

    async def saved(self) -> str:
        """What "Save as test" downloads."""
        async with self.page.expect_download() as download:
            await self.the("save").click()
        path = await (await download.value).path()
        return path.read_text(encoding="utf-8")


@dataclass(slots=True)
class Show:
    """A browser, and the phone's site it looks at."""

    browser: Browser = field(repr=False)
    url: str
    site: PhoneSite = field(repr=False)


@asynccontextmanager
async def showing(menu: Callable[[Path], Menu], chromium: str) -> AsyncIterator[Show]:
    """A demo and a browser for as long as the block runs."""
    settings = load(discover(), Path("no such file"), {}, BASE)
    async with house(settings, load=menu) as built, phone(built) as site, async_playwright() as play:
        app = public(built)
        site.mount(app)
        browser = await play.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        async with listening(app, "127.0.0.1", 0) as port:
            yield Show(browser, f"http://127.0.0.1:{port}", site)
            await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def show(worlds: Worlds, chromium: str) -> AsyncIterator[Show]:
    """One browser and one demo for all tests of the phone: each takes a phone of its own."""
    async with showing(worlds.menu, chromium) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(show: Show) -> AsyncIterator[Phone]:
    """The phone in a fresh page."""
    opened = Phone(await show.browser.new_page(), show.url, show.site)
    opened.page.on("console", lambda told: opened.said.append(told.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    await opened.visit()
    yield opened
    await opened.page.close()
    assert not opened.said
