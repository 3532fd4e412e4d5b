"""The menu studio in a real browser: a text from its finding to subscribers and back, by keyboard, WCAG 2.2."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.console.console_request import MENUS_PATH
from tests.browser.console_page import PHONE_SCREEN, find_faults, sign_in_by_keyboard, tab_to
from tests.browser.console_page import axe_source as axe_source
from tests.browser.console_page import small_page as small_page
from tests.browser.phone_page import PICTURES
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import ANA
from tests.support.studio_forms import HOME, ORANGE, trust_shipped_pack

pytestmark = pytest.mark.asyncio(loop_scope="session")
WORDS = "[aria-describedby='w0-hint']"
TOO_LONG = "Bineațivenit" * 14


@pytest_asyncio.fixture(loop_scope="session")
async def console(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console whose shipped pack counts as checked."""
    async with sandboxes.open() as sandbox, serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!")
        yield served


async def save_words(page: Page, words: str) -> None:
    """Type words over those of the first field and save them, without a mouse."""
    await tab_to(page, WORDS)
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(words)
    await tab_to(page, "form button")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def press_button(page: Page, selector: str) -> None:
    """Press a button by keyboard and wait for the page it leads to."""
    await tab_to(page, selector)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def dial_home(console: ConsoleServer) -> str:
    """Return what a subscriber sees, once the process has followed what is published."""
    await console.sandbox.container.revision_follower.follow_published()
    return "\n".join((await console.phone.dial(ANA, "*100#")).lines)


async def edit_and_propose(page: Page, console: ConsoleServer, axe_source: str) -> None:
    """Type a text that is too long, see the finding, shorten it and propose it."""
    await sign_in_by_keyboard(page, console, "mihai", "en")
    await page.goto(f"{console.url}{HOME}")
    await save_words(page, TOO_LONG)
    await expect(page.locator("#w0-hint .alert")).to_contain_text("units of 128")
    assert await find_faults(page, axe_source) == []
    await save_words(page, "Salut!")
    await expect(page.locator(".alert, .why")).to_have_count(0)
    await expect(page.locator(".handset").first).to_contain_text("Salut!")
    await page.set_viewport_size({"width": 1000, "height": 1000})
    await page.locator("#w9").evaluate("field => field.scrollIntoView()")
    await page.screenshot(path=PICTURES / "studio-screen.png")
    await page.set_viewport_size(PHONE_SCREEN)  # type: ignore[arg-type]
    await page.goto(f"{console.url}{ORANGE}/draft")
    assert await find_faults(page, axe_source) == []
    await tab_to(page, "#message")
    await page.keyboard.type("A shorter welcome")
    await press_button(page, "button[value=propose]")


async def test_a_text_is_found_too_long_shortened_approved_published_and_rolled_back(
    console: ConsoleServer, small_page: Page, browser: Browser, axe_source: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    await edit_and_propose(small_page, console, axe_source)
    await expect(small_page.locator("button[value=approve]")).to_have_count(0)
    second = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    await sign_in_by_keyboard(second, console, "dana", "ar")
    await second.goto(f"{console.url}{ORANGE}/revisions/1")
    assert await find_faults(second, axe_source) == []
    await press_button(second, "button[value=approve]")
    await press_button(second, "button[value=publish]")
    assert "Salut!" in await dial_home(console)
    await second.goto(f"{console.url}{MENUS_PATH}")
    await press_button(second, "button[value=return]")
    assert "Bine" in await dial_home(console)
    await second.close()


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_every_page_of_the_studio_keeps_to_wcag_on_a_small_screen(
    console: ConsoleServer, small_page: Page, axe_source: str, language: str
) -> None:
    await sign_in_by_keyboard(small_page, console, "mihai", language)
    for page in ("?q=bill", "/draft", "/keywords", "/hours", "/add-screen", "/screens/bill/en"):
        await small_page.goto(f"{console.url}{ORANGE}{page}")
        assert small_page.url.endswith(page)
        assert await find_faults(small_page, axe_source) == [], page
    await small_page.goto(f"{console.url}{MENUS_PATH}")
    assert await find_faults(small_page, axe_source) == []
