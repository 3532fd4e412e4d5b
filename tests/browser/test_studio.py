"""The menu studio in a real browser: a text from its finding to subscribers and back, by keyboard, WCAG 2.2."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.console.console_request import MENUS_PATH
from tests.browser.console_page import PHONE_SCREEN, find_faults, press_button, sign_in_by_keyboard, tab_to
from tests.browser.console_page import axe_source as axe_source
from tests.browser.console_page import small_page as small_page
from tests.browser.phone_page import PICTURES
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.page_client import ANA
from tests.support.studio_forms import HOME, ORANGE, trust_shipped_pack

pytestmark = pytest.mark.asyncio(loop_scope="session")
WORDS = "[aria-describedby='w0-hint']"
FRESH_SIM = "+40740000106"
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


@pytest_asyncio.fixture(loop_scope="session")
async def second_gateway(sandboxes: SandboxFactory, console: ConsoleServer) -> AsyncIterator[GatewaySandbox]:
    """Provide another gateway on the console's database, with menus and a follower of its own."""
    url = console.sandbox.container.settings.database_url
    async with sandboxes.open(more={"database_url": url}) as opened:
        yield opened


async def dial_homes(gateways: Sequence[GatewaySandbox], dial: str) -> list[str]:
    """Return what a subscriber sees at each gateway, once it has followed what is published.

    `dial` names this round: session ids of earlier ones are not used again.
    """
    for each in gateways:
        await each.container.revision_follower.follow_published()
    lines = [replace(each.direct_line(), session_prefix=dial) for each in gateways]
    return [(await each.dial(ANA, "*100#")).lines[0] for each in lines]


async def dial_draft(page: Page, console: ConsoleServer, axe_source: str) -> None:
    """Dial the draft on the studio's phone."""
    await page.goto(f"{console.url}{ORANGE}/phone")
    await press_button(page, "button[value=dial]")
    await expect(page.locator(".handset")).to_contain_text("Salut!")
    assert await find_faults(page, axe_source) == []
    await page.screenshot(path=PICTURES / "studio-phone.png", full_page=True)


async def look_up_fresh_sim(page: Page, console: ConsoleServer, axe_source: str) -> None:
    """Find, as an agent, why a subscriber got no code, and what they texted, step by step."""
    await sign_in_by_keyboard(page, console, "ioana", "en")
    await tab_to(page, "#number")
    await page.keyboard.type(FRESH_SIM)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.locator(".why")).to_contain_text("not sent: the SIM card")
    await tab_to(page, ".conversation summary")
    await page.keyboard.press("Enter")
    await expect(page.locator(".conversation kbd").first).to_have_text("***")
    assert await find_faults(page, axe_source) == []
    await page.screenshot(path=PICTURES / "console-conversation.png", full_page=True)


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
    await dial_draft(page, console, axe_source)
    await page.goto(f"{console.url}{ORANGE}/draft")
    await tab_to(page, "#message")
    await page.keyboard.type("A shorter welcome")
    await press_button(page, "button[value=propose]")


async def test_a_text_is_found_too_long_shortened_approved_published_and_rolled_back(
    console: ConsoleServer,
    second_gateway: GatewaySandbox,
    small_page: Page,
    browser: Browser,
    axe_source: str,
) -> None:
    gateways = console.sandbox, second_gateway
    PICTURES.mkdir(parents=True, exist_ok=True)
    await edit_and_propose(small_page, console, axe_source)
    await expect(small_page.locator("button[value=approve]")).to_have_count(0)
    second = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    await sign_in_by_keyboard(second, console, "dana", "ar")
    await second.goto(f"{console.url}{ORANGE}/revisions/1")
    assert await find_faults(second, axe_source) == []
    await press_button(second, "button[value=approve]")
    await press_button(second, "button[value=publish]")
    assert await dial_homes(gateways, "published") == ["Salut!"] * 2
    await second.goto(f"{console.url}{MENUS_PATH}")
    await press_button(second, "button[value=return]")
    assert await dial_homes(gateways, "returned") == ["Bine ati venit la Orange!"] * 2
    await console.phone.send_text(FRESH_SIM, "477", "ElenaSim6")
    await look_up_fresh_sim(second, console, axe_source)
    await second.close()


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_every_page_of_the_studio_keeps_to_wcag_on_a_small_screen(
    console: ConsoleServer, small_page: Page, axe_source: str, language: str
) -> None:
    await sign_in_by_keyboard(small_page, console, "mihai", language)
    for page in ("?q=bill", "/draft", "/keywords", "/hours", "/phone", "/add-screen", "/screens/bill/en"):
        await small_page.goto(f"{console.url}{ORANGE}{page}")
        assert small_page.url.endswith(page)
        assert await find_faults(small_page, axe_source) == [], page
    await small_page.goto(f"{console.url}{MENUS_PATH}")
    assert await find_faults(small_page, axe_source) == []
