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

from gateway.demo.payfake import payment_settings
from gateway.demo.startup import OPERATOR_DEFAULTS
from gateway.demo.wallet.wallet_server import DEMO_WALLET, WALLET_TABLES
from gateway.http.listening import serve_app
from gateway.phone.lifecycle import open_phone_site
from gateway.phone.site import PhoneSite
from gateway.providers.registry import discover_providers
from gateway.publishing import pack_compiler
from gateway.server.app import public_app
from gateway.settings import load_settings
from gateway.wiring.container import build_container
from menus.machine.menu import Menu
from tests.support.gateway_sandbox import SandboxFactory, replay_dialog

CHROMIUM_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

BASE_SETTINGS: dict[str, Any] = {
    "demo": True,
    "host": "127.0.0.1",
    "public_url": "http://127.0.0.1:8080",
    "secret_key": "a key for the tests and nothing else",
    "database_url": "sqlite://",
}


CODE_PATTERN = re.compile(r"\b\d{6}\b")
PICTURES_WANTED = bool(os.environ.get("PICTURES"))
"""Whether the tests of the phone leave a picture of the page they end on: it costs a tenth of their time."""
PICTURES = Path(os.environ.get("PICTURES") or Path(__file__).parents[2] / "var" / "pictures")
"""Folder that receives screenshots (environment variable PICTURES)."""


@dataclass(slots=True)
class PhonePage:
    """The phone page, driven as a person would use it."""

    page: Page = field(repr=False)
    url: str
    console_errors: list[str] = field(default_factory=list)
    """Console messages and page errors of the browser."""

    def element(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    async def open_page(self) -> None:
        await self.page.goto(f"{self.url}/phone")
        await self.page.wait_for_selector("body[data-turn]")

    async def take_new_phone(self, person: str, language: str) -> None:
        """Take a new phone as a demo subscriber, in a language."""
        await self.element("person").select_option(person)
        await self.element("language").select_option(language)
        await self.page.get_by_role("button", name="Reset").click()
        await expect(self.element("handset")).to_have_attribute("aria-busy", "false")
        await expect(self.element("dialog")).to_contain_text(f"from {person}\nlanguage {language}")

    async def enter_line(self, typed: str, shown: str) -> None:
        """Type into the phone's line and wait until the screen shows the expected text."""
        await self.element("line").fill(typed)
        await self.element("go").click()
        await expect(self.element("screen")).to_contain_text(shown)

    async def send_line(self, typed: str) -> None:
        """Type into the phone's line and wait for the next turn, whatever it shows."""
        turn = await self.page.get_attribute("body", "data-turn")
        await self.enter_line(typed, "")
        await expect(self.page.locator("body")).not_to_have_attribute("data-turn", turn or "")

    async def switch_fault(self, what: str, state: str) -> None:
        """Press a fault switch and wait until it has taken effect."""
        await self.page.click(f"[data-spoil={what}][data-state={state}]")
        await expect(self.element("dialog")).to_contain_text(re.compile(rf"{what} (up|{state})\n*$"))

    async def press_key(self, key: str, shown: str) -> None:
        await self.page.click(f"#keypad button:text-is('{key}')")
        await expect(self.element("screen")).to_contain_text(shown)

    async def send_text(self, body: str, shown: str) -> None:
        await self.element("body").fill(body)
        await self.page.click("#texting button")
        await expect(self.element("thread")).to_contain_text(shown)

    async def read_code(self) -> str:
        """Return the one-time code in the messages, once it has arrived."""
        await expect(self.element("thread")).to_contain_text(CODE_PATTERN)
        (code,) = CODE_PATTERN.findall(await self.element("thread").inner_text())
        return str(code)

    async def download_dialog(self, folder: Path) -> Path:
        """Download what "Save as test" offers and return its path, with the proposed file name."""
        async with self.page.expect_download() as download:
            await self.element("save").click()
        path = folder / (await download.value).suggested_filename
        await (await download.value).save_as(path)
        return path

    async def download_and_replay(self, sandboxes: SandboxFactory) -> str:
        """Download what "Save as test" offers, check that it passes when replayed, and return its text."""
        text = (await self.download_dialog(PICTURES)).read_text(encoding="utf-8")
        assert await replay_dialog(sandboxes, text) == text
        return text


@asynccontextmanager
async def open_browser(chromium: str) -> AsyncIterator[Browser]:
    """Run a headless browser for the duration of the block."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_OPTIONS))
        yield browser
        await browser.close()


@asynccontextmanager
async def open_phone_page(browser: Browser, url: str, name: str) -> AsyncIterator[PhonePage]:
    """Open the phone in a fresh page; take a screenshot at the end, if wanted, and fail on console errors."""
    opened = PhonePage(await browser.new_page(), url)
    opened.page.on("console", lambda told: opened.console_errors.append(told.text))
    opened.page.on("pageerror", lambda error: opened.console_errors.append(str(error)))
    await opened.open_page()
    yield opened
    if PICTURES_WANTED:
        await opened.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    await opened.page.close()
    assert not opened.console_errors


@dataclass(slots=True)
class DemoSite:
    """A running demo with its URL and phone site."""

    url: str
    site: PhoneSite = field(repr=False)


@asynccontextmanager
async def serve_demo(
    menu: Callable[[Path], Menu], root: Path = pack_compiler.OPERATORS
) -> AsyncIterator[DemoSite]:
    """Serve a demo of the packs in a folder for the duration of the block."""
    nowhere = "http://127.0.0.1:9"  # each phone has a payment provider and a wallet of its own
    ways = {"payments": payment_settings(nowhere), "wallet": WALLET_TABLES[DEMO_WALLET](nowhere)}
    operators = {name: {**OPERATOR_DEFAULTS, **ways} for name in pack_compiler.shipped_operators(root)}
    settings = load_settings(
        discover_providers(), Path("no such file"), {}, {**BASE_SETTINGS, "operators": operators}
    )
    async with build_container(settings, root, load=menu) as built, open_phone_site(built, root) as site:
        app = public_app(built)
        site.mount(app)
        async with serve_app(app, "127.0.0.1", 0) as port:
            yield DemoSite(f"http://127.0.0.1:{port}", site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """Provide one browser for the whole run."""
    async with open_browser(chromium) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo_site(sandboxes: SandboxFactory) -> AsyncIterator[DemoSite]:
    """Provide one demo for all browser tests; each test takes a phone of its own."""
    async with serve_demo(sandboxes.menu) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(
    browser: Browser, demo_site: DemoSite, request: pytest.FixtureRequest
) -> AsyncIterator[PhonePage]:
    """Provide the phone in a fresh page."""
    async with open_phone_page(browser, demo_site.url, file_name_of(request)) as opened:
        yield opened


def file_name_of(request: pytest.FixtureRequest) -> str:
    """Return a test's name as a file name."""
    return re.sub(r"[^\w-]+", "-", request.node.name.removeprefix("test_")).strip("-")
